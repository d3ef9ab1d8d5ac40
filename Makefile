# `make demo` and `make test` are all a newcomer needs; `make check` is what a contributor adds, `make docs` builds
# the pages of docs/ into docs/_build/html.
#   TORCH_INDEX=URL   take torch from another index, for example PyTorch's CPU builds
#   PYTEST_ARGS=...   passed on to pytest, for example PYTEST_ARGS="tests/base -x"

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH_INDEX ?=
PYTEST_ARGS ?=
DEMO_OUT ?= demo

.PHONY: demo test check docs clean

demo: $(VENV)/.stamp-demo
	$(BIN)/diffex demo --out $(DEMO_OUT)

test: $(VENV)/.stamp-dev
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.stamp-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_sizes.py
	$(BIN)/python scripts/check_docstrings.py

# Runs the tutorials, so it takes some minutes; a warning is an error.
docs: $(VENV)/.stamp-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf $(VENV) build dist docs/_build docs/reference/generated .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.stamp-venv:
	@for python in python3.11 python3.12 python3.13 python3 python; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "making $(VENV) with $$($$python --version)"; \
	    $$python -m venv $(VENV) && touch $@ && exit 0; exit 1; \
	  fi; \
	done; echo "Python 3.11 or newer is needed; none was found on PATH." >&2; exit 1

# torch alone first, so that TORCH_INDEX serves it and nothing else.
$(VENV)/.stamp-torch: constraints.txt | $(VENV)/.stamp-venv
	$(PIP) install -q --no-deps -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	@touch $@

$(VENV)/.stamp-demo: pyproject.toml constraints.txt $(VENV)/.stamp-torch
	$(PIP) install -q -c constraints.txt -e .
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml constraints.txt $(VENV)/.stamp-torch
	$(PIP) install -q -c constraints.txt -e ".[all,dev]"
	@touch $@

$(VENV)/.stamp-docs: pyproject.toml constraints.txt $(VENV)/.stamp-torch
	$(PIP) install -q -c constraints.txt -e ".[docs]"
	@touch $@
