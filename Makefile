# Each target sets up what it needs, once, and again when the locked requirements change.
# All it takes is make and a Python that the package supports.

VENV ?= .venv
WORKERS ?= 2
ARGS ?=

RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --disable-pip-version-check
# One thread per process: the tests run in several processes and their tensors are small.
PYTEST := OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(WORKERS) --dist worksteal
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" "$(CURDIR)/$(RUN)" -m uv pip compile --quiet \
	--universal --python-version 3.11 --generate-hashes --no-emit-index-url

# The first that starts (pyenv leaves names that do not), is in range and can make environments.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	"$$python" -c 'import ensurepip, sys, venv; assert (3, 11) <= sys.version_info[:2] <= (3, 13)' \
	2>/dev/null && echo "$$python" && break; done)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help train setup test test-slow test-all test-lowest lint format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

train: $(VENV)/.prod-installed ## run the training script; options go in ARGS="..."
	$(RUN) training/run_experiment.py $(ARGS)

setup: $(VENV)/.dev-installed ## install everything for work on the code

test: $(VENV)/.dev-installed ## the fast tests; WORKERS=N processes, options in ARGS="..."
	$(PYTEST) -m "not slow and not gpu" $(ARGS)

# pytest's 5 means that no test is marked slow, which is no failure; every other status stands.
test-slow: $(VENV)/.dev-installed ## the slow tests
	$(PYTEST) -m "slow and not gpu" $(ARGS) || { status=$$?; [ $$status -eq 5 ] || exit $$status; \
		echo "make test-slow: there are no slow tests"; }

test-all: $(VENV)/.dev-installed ## all tests; those for a GPU skip themselves without one
	$(PYTEST) $(ARGS)

test-lowest: ## the fast tests on the lowest versions that prod.in allows, in an environment apart
	$(MAKE) setup VENV=.venv-lowest
	.venv-lowest/bin/python -m uv pip install --upgrade --python .venv-lowest/bin/python \
		--resolution lowest-direct -r requirements/prod.in
	$(MAKE) test VENV=.venv-lowest

lint: $(VENV)/.dev-installed ## check style, layout and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: $(VENV)/.dev-installed ## put style and layout right, take outputs out of notebooks
	$(RUN) -m ruff check --fix-only .
	$(RUN) -m ruff format .
	find notebooks tasks -name '*.ipynb' -exec $(RUN) -m nbstripout --keep-id {} +

lock: $(VENV)/.dev-installed ## write the locks after a change of prod.in or dev.in; ARGS=--upgrade
	cd requirements && $(COMPILE) $(ARGS) prod.in -o prod.txt
	cd requirements && $(COMPILE) $(ARGS) prod.in dev.in -c prod.txt -o dev.txt

clean: ## remove environments and caches; runs and data stay
	rm -rf .venv .venv-lowest build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find lab training tests tasks -name __pycache__ -prune -exec rm -rf {} +

# An environment that is already there is kept: somebody chose its Python.
$(VENV)/.created:
	@$(RUN) -m pip --version >/dev/null 2>&1 || [ -n "$(PYTHON)" ] || { \
		echo "no Python 3.11 to 3.13 with venv found: install one, or set PYTHON=/path/to/python" >&2; \
		exit 1; }
	$(RUN) -m pip --version 2>/dev/null || "$(PYTHON)" -m venv $(VENV)
	@touch $@

# The build needs setuptools, which the locks hold, so nothing unlocked is fetched for it.
$(VENV)/.%-installed: requirements/%.txt pyproject.toml | $(VENV)/.created
	$(PIP) --require-hashes -r $<
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@touch $@
