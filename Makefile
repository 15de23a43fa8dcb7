PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PATH := $(PATH):$(HOME)/.pulumi/bin
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url
DRAWN = --ignore tests/messages --deselect tests/test_generated_pages.py::test_the_picture_is_current
PICTURED = examples/servers/vllm-llama-3.1-8b
CLIENTS = tests/cluster/real_clients

SOAKED = languages autoscaling rollouts failures probes pods secrets access tls nginx security policies scanners
HOSTILE = tests/test_hostile.py tests/test_bombs.py tests/config/test_paths.py tests/plan/test_names.py
BESIDE = tests/engine/test_policy_pack.py $(HOSTILE)

.PHONY: help demo test fuzz bench bench-smoke e2e soak keda corpus demo-cluster cluster cluster-down lint format docs site lock dist versions clean
.DEFAULT_GOAL := help

help:  ## List the commands
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: .venv/.run  ## Render two examples on the stack `local`
	@$(BIN)/python tools/demo/demo.py

test: .venv/.dev  ## Run the tests
	$(BIN)/python -m pytest -n auto --ignore tests/cluster

fuzz: .venv/.dev  ## Check 12,500 broken files and 12,000 hostile inputs
	FUZZ_FILES=10000 HOSTILE_CASES=12000 $(BIN)/python -m pytest tests/test_fuzz.py $(HOSTILE)

bench: .venv/.dev  ## Measure ROWS=… (all) beside other tools, on a real cluster; writes docs/benchmarks.md
	PYTHONPATH=tools:tests $(BIN)/python -m testbed run $(BIN)/python -m bench $(ROWS)

bench-smoke: .venv/.dev  ## Compare the costs that do not depend on the machine with the known ones
	$(BIN)/python -m pytest tests/test_costs.py

e2e: .venv/.dev  ## Boot a real cluster, test on it, end it (Linux, root); or use cluster.yaml's
	PYTHONPATH=tools $(BIN)/python -m testbed run \
		$(BIN)/python -m pytest -n 5 --no-loadscope-reorder tests/cluster tests/engine/test_cluster.py $(BESIDE)

soak: keda  ## Test on the cluster at length what must not fail; writes docs/reliability.md
	SOAK=1 HOSTILE_CASES=12000 PYTHONPATH=tools $(BIN)/python -m testbed run \
		$(BIN)/python -m pytest $(BESIDE) \
		$(addprefix tests/cluster/test_,$(addsuffix .py,$(SOAKED)))

keda: .venv/.dev  ## Build KEDA and Prometheus once (12 minutes); the cluster then has them
	@PYTHONPATH=tools $(BIN)/python -m testbed keda

demo-cluster: .venv/.dev  ## Boot a real cluster, bring up an example and ask it; or use cluster.yaml's
	@$(BIN)/python tools/demo/program.py
	@PYTHONPATH=tools $(BIN)/python -m testbed with \
		$(BIN)/python tools/demo/demo_cluster.py

cluster: .venv/.dev  ## Boot a real cluster to try things on (Linux, root)
	@PYTHONPATH=tools $(BIN)/python -m testbed up

cluster-down: .venv/.dev  ## End the cluster
	@PYTHONPATH=tools $(BIN)/python -m testbed down

lint: .venv/.dev  ## Check style, types, layers, docstrings and the links of the site
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python tools/lint/docstrings.py
	$(BIN)/zensical build --strict

format: .venv/.dev  ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.dev  ## Write the generated pages of docs/, and the types of the stage's arguments
	@$(BIN)/python tools/docs/stage_args.py
	@$(BIN)/python tools/docs/config.py > docs/config.md
	@$(BIN)/python tools/docs/stage.py > docs/stage.md
	@$(BIN)/python tools/docs/component.py > docs/component.md
	@$(BIN)/python tools/docs/hardening.py > docs/hardening.md
	@$(BIN)/python tools/docs/clients.py
	@$(BIN)/trussform explain --stack production --format svg $(PICTURED) 2> /dev/null > docs/pictures/llama.svg
	@test ! -d corpus || TRUSSFORM_CORPUS=corpus PYTHONPATH=tools $(BIN)/python -m docs.conformance > docs/conformance.md

corpus: .venv/.dev  ## Clone the real configs of truss-examples
	@$(BIN)/python tools/docs/corpus.py

lock: .venv/.dev  ## Resolve the dependencies anew into the lock files
	$(COMPILE) --upgrade pyproject.toml --group dev -o requirements-dev.lock
	$(COMPILE) --upgrade pyproject.toml --constraints requirements-dev.lock -o requirements.lock
	$(COMPILE) --upgrade --no-config $(CLIENTS)/requirements.txt -o $(CLIENTS)/requirements.lock

site: .venv/.dev  ## Build the documentation site into site/; a broken link is an error
	$(BIN)/zensical build --strict

dist: .venv/.dev  ## Build the wheel and the sdist into dist/, check them, and install each
	rm -rf dist
	$(BIN)/python -m build --quiet
	$(BIN)/python -m twine check --strict dist/*
	@for file in dist/*.whl dist/*.tar.gz; do \
		$(PYTHON) -m venv --clear .versions/empty && \
		.versions/empty/bin/pip install --quiet --disable-pip-version-check $$file && \
		echo "$$file: $$(.versions/empty/bin/trussform --version)" || exit 1; \
	done

versions: .venv/.dev  ## Run the tests with the lowest and the newest versions of the dependencies
	@for kind in lowest-direct highest; do \
		echo "$$kind:" && \
		$(BIN)/uv venv --quiet --clear --seed --python $(PYTHON) .versions/$$kind && \
		$(BIN)/uv pip compile --quiet --all-extras --resolution $$kind pyproject.toml -o .versions/$$kind.txt && \
		$(BIN)/uv pip install --quiet --python .versions/$$kind --override .versions/$$kind.txt --group dev --editable ".[buildkit,policy]" && \
		.versions/$$kind/bin/python -m pytest -n auto --ignore tests/cluster $(DRAWN) || exit 1; \
	done

clean:  ## Remove what the commands made
	rm -rf .venv .versions .trussform .demo .demo-cluster out dist site

.venv/.run: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.run
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		-r requirements-dev.lock
	@touch $@
