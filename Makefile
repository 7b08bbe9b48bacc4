# Needs Python 3.11 or newer, and a package index. Another interpreter: make setup PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
# dvc.yaml and the tests call `llp` by its name.
IN_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

.DEFAULT_GOAL := help
.PHONY: help setup run server worker test coverage test-slow check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## make .venv; again only when pyproject.toml or constraints.txt changed

run: $(INSTALLED) ## run the whole pipeline on the embedded graph
	$(IN_VENV) llp run-flow full

server: $(INSTALLED) ## start what does not run of Prefect's server and its worker
	$(IN_VENV) llp server up

worker: server ## the same: the worker comes with the server

# A worker a core, and a thread a worker: more threads than cores wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(IN_VENV) pytest -n logical --dist loadfile -m "not slow"

test: $(INSTALLED) ## run the tests
	$(PYTEST)

coverage: $(INSTALLED) ## run the tests and say which lines they miss; takes twice the time
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-fail-under=85

test-slow: $(INSTALLED) ## run the tests that take minutes
	$(IN_VENV) pytest -m slow

check: $(INSTALLED) ## format, lint, types, and dead links in the docs
	$(IN_VENV) ruff format --check .
	$(IN_VENV) ruff check .
	$(IN_VENV) mypy
	$(IN_VENV) pytest -q tests/test_docs.py

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, and \`$(PYTHON)\` is not: make setup PYTHON=<path of one>" >&2; exit 1; }
	@echo "Installing into $(VENV): about 2 GB, and more with CUDA (docs/operating.md); a few minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
