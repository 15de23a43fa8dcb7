PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PATH := $(PATH):$(HOME)/.pulumi/bin
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url pyproject.toml

.PHONY: help demo test lint format lock wheel clean
.DEFAULT_GOAL := help

help:  ## List the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: .venv/.run  ## Render both examples on the stack `local`
	@$(BIN)/python scripts/demo.py

test: .venv/.dev  ## Run the tests
	$(BIN)/python -m pytest

lint: .venv/.dev  ## Check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: .venv/.dev  ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: .venv/.dev  ## Resolve the dependencies anew into the lock files
	$(COMPILE) --upgrade --group dev -o requirements-dev.lock
	$(COMPILE) --upgrade --constraints requirements-dev.lock -o requirements.lock

wheel: .venv/.dev  ## Build the wheel into dist/
	$(BIN)/python -m build --wheel

clean:  ## Remove what the commands made
	rm -rf .venv .trussform .demo out dist

.venv/.run: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.run
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
