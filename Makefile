PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PATH := $(PATH):$(HOME)/.pulumi/bin
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url
CLIENTS = tests/cluster/real_clients

SOAKED = languages rollouts failures probes pods secrets access tls nginx security policies scanners
HOSTILE = tests/test_hostile.py tests/test_bombs.py tests/config/test_paths.py tests/plan/test_names.py
BESIDE = tests/engine/test_policy_pack.py $(HOSTILE)

.PHONY: help demo test fuzz bench e2e soak corpus demo-cluster cluster cluster-down lint format docs lock wheel clean
.DEFAULT_GOAL := help

help:  ## List the commands
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: .venv/.run  ## Render two examples on the stack `local`
	@$(BIN)/python tools/demo/demo.py

test: .venv/.dev  ## Run the tests
	$(BIN)/python -m pytest -n auto --ignore tests/cluster

fuzz: .venv/.dev  ## Check 12,500 broken files and 12,000 hostile inputs
	FUZZ_FILES=10000 HOSTILE_CASES=12000 $(BIN)/python -m pytest tests/test_fuzz.py $(HOSTILE)

bench: .venv/.dev  ## Time the check of the configs in FOLDER=… against Truss's own reading
	@$(BIN)/python tools/bench/check.py $(FOLDER)

e2e: .venv/.dev  ## Boot a real cluster, test on it, end it (Linux, root); or use cluster.yaml's
	PYTHONPATH=tools $(BIN)/python -m testbed run \
		$(BIN)/python -m pytest -n 5 --no-loadscope-reorder tests/cluster tests/engine/test_cluster.py $(BESIDE)

soak: .venv/.dev  ## Test on the cluster at length what must not fail; writes docs/reliability.md
	SOAK=1 HOSTILE_CASES=12000 PYTHONPATH=tools $(BIN)/python -m testbed run \
		$(BIN)/python -m pytest $(BESIDE) \
		$(addprefix tests/cluster/test_,$(addsuffix .py,$(SOAKED)))

demo-cluster: .venv/.dev  ## Boot a real cluster, bring up an example and ask it; or use cluster.yaml's
	@$(BIN)/python tools/demo/program.py
	@PYTHONPATH=tools $(BIN)/python -m testbed with \
		$(BIN)/python tools/demo/demo_cluster.py

cluster: .venv/.dev  ## Boot a real cluster to try things on (Linux, root)
	@PYTHONPATH=tools $(BIN)/python -m testbed up

cluster-down: .venv/.dev  ## End the cluster
	@PYTHONPATH=tools $(BIN)/python -m testbed down

lint: .venv/.dev  ## Check style, types, layers and docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python tools/lint/docstrings.py

format: .venv/.dev  ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.dev  ## Write the generated pages of docs/, and the types of the stage's arguments
	@$(BIN)/python tools/docs/stage_args.py
	@$(BIN)/python tools/docs/config.py > docs/config.md
	@$(BIN)/python tools/docs/hardening.py > docs/hardening.md
	@$(BIN)/python tools/docs/clients.py
	@test ! -d corpus || TRUSSFORM_CORPUS=corpus PYTHONPATH=tools $(BIN)/python -m docs.conformance > docs/conformance.md

corpus: .venv/.dev  ## Clone the real configs of truss-examples
	@$(BIN)/python tools/docs/corpus.py

lock: .venv/.dev  ## Resolve the dependencies anew into the lock files
	$(COMPILE) --upgrade pyproject.toml --group dev -o requirements-dev.lock
	$(COMPILE) --upgrade pyproject.toml --constraints requirements-dev.lock -o requirements.lock
	$(COMPILE) --upgrade --no-config $(CLIENTS)/requirements.txt -o $(CLIENTS)/requirements.lock

wheel: .venv/.dev  ## Build the wheel into dist/
	$(BIN)/python -m build --wheel

clean:  ## Remove what the commands made
	rm -rf .venv .trussform .demo .demo-cluster out dist

.venv/.run: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.run
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		-r requirements-dev.lock
	@touch $@
