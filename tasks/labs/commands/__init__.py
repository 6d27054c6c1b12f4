"""One file for each command of `labs`: the first line of its text is its help.

`arguments(parser)` adds its options, `run(options, root)` does it and returns the exit status.
"""
