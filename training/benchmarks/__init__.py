"""The parts of the benchmark: each file is one, with a docstring in a line and a generator `rows`."""
