# The two commands of the README are `make demo` and `make test`; everything they need is set up here.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := api runtime operator proxy cli dev
CODE := $(SOURCES) tests e2e bench

.DEFAULT_GOAL := help
.PHONY: help demo test e2e bench lint fmt crds lock clean

help:
	@echo "make demo   the main job on embedded parts: provider, stream, fallback, trace, sign-in, a rollout and a rollback"
	@echo "make test   every test this machine can run; what it skips is printed with the reason"
	@echo "make e2e    the tests on real pods alone (root Linux)"
	@echo "make bench  what a request costs, beside a bare relay"
	@echo "make lint   formatting, lint, types, import rules, generated files"
	@echo "make fmt    format the code"
	@echo "make crds   write what is generated: crds/ from the resource models, the table in docs/auth.md"
	@echo "make lock   pin the dependencies anew"

# The stamp holds the hash of what the environment was made from, so that a changed lock makes a new one.
$(VENV)/.stamp: requirements/dev.txt pyproject.toml
	@echo "==> Python environment ($(VENV)), about a minute the first time"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Headgate needs Python 3.11 or newer; set PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.stamp
	@$(BIN)/python -m headgate_dev.demo

test: $(VENV)/.stamp
	@$(BIN)/headgate dev tools
	@$(BIN)/python -m pytest
	@$(BIN)/python -m pytest --capture=no e2e

e2e: $(VENV)/.stamp
	@$(BIN)/python -m pytest --capture=no e2e

bench: $(VENV)/.stamp
	@$(BIN)/python -m bench

lint: $(VENV)/.stamp
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-cache
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && mkdir "$$fresh/docs" && cp docs/auth.md "$$fresh/docs" \
		&& $(BIN)/headgate generate "$$fresh" && diff docs/auth.md "$$fresh/docs/auth.md" >&2 \
		&& diff -r crds "$$fresh/crds" >&2 \
		&& (for text in "$$fresh"/charts/headgate/files/*.txt; do diff charts/headgate/files "$$text" >&2 || exit 1; done) \
		|| { echo "generated files differ from the contract: run make crds" >&2; exit 1; }

fmt: $(VENV)/.stamp
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix --select I $(CODE)

crds: $(VENV)/.stamp
	@$(BIN)/headgate generate .

lock: $(VENV)/.stamp
	@$(BIN)/python -m venv $(VENV)/lock && $(VENV)/lock/bin/python -m pip install --quiet uv
	@$(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --prerelease if-necessary-or-explicit \
		-o requirements/dev.txt pyproject.toml
	@$(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --extra operator --extra proxy --extra image \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--prerelease if-necessary-or-explicit -c requirements/dev.txt -o requirements/runtime.txt pyproject.toml
	@$(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-emit-index-url --no-emit-find-links --no-header \
		-o dev/headgate_dev/toolchain/go/requirements.txt requirements/go.in

clean:
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
