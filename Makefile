# Every command that people and CI run. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run
.PHONY: demo
demo: setup ## Run the main job end to end; CATALOG=path names your own pictures
	$(BIN)/toile demo $(if $(CATALOG),--catalog "$(CATALOG)") $(if $(MINUTES),--minutes $(MINUTES))

.PHONY: up
up: setup ## Start the whole stack and stay
	$(BIN)/toile up

.PHONY: setup
setup: $(STAMP) ## Install everything into .venv (seconds when already done)

# uv installs in seconds; pip, with the same hashes, is there for machines whose registry only pip knows.
$(STAMP): tests/requirements.txt tests/requirements-uv.txt pyproject.toml | $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements-uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r tests/requirements.txt \
	  || { echo "uv could not install; trying pip"; \
	       $(BIN)/python -m pip install --quiet --require-hashes -r tests/requirements.txt; }
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else \
	  "Toile needs Python 3.11 to 3.13; %s is %d.%d. Name another one: make PYTHON=python3.12 ..." \
	  % (sys.executable, *sys.version_info[:2]))'
	$(PYTHON) -m venv $(VENV)

##@ Check
.PHONY: lint
lint: setup ## ruff, mypy strict, import contracts, spelling, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell $$(git ls-files)
	$(BIN)/python -m pytest -q tests/unit/test_docs.py

.PHONY: format
format: setup ## Format, and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: test
test: setup ## Every test: unit, integration, end to end
	$(BIN)/python -m pytest

.PHONY: test-unit
test-unit: setup ## The unit tests alone
	$(BIN)/python -m pytest tests/unit

.PHONY: fuzz
fuzz: setup ## Ten thousand requests made from the OpenAPI document (CASES=n for others)
	$(BIN)/python -m pytest tests/security/test_contract.py --cases $(or $(CASES),10000)

.PHONY: chaos
chaos: setup ## Break a running stack for five minutes, and count; DATABASE=postgresql SEED=2 FOR=60
	$(BIN)/python -m tests.chaos --out var/chaos $(if $(DATABASE),--database $(DATABASE)) \
	  $(if $(SEED),--seed $(SEED)) $(if $(FOR),--seconds $(FOR))

##@ Keep
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11
.PHONY: lock
lock: setup ## Write the hashed lock files anew; UPGRADE=1 takes newer versions
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra web --extra c2pa --extra otel -o web/requirements.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra worker --extra otel -o worker/requirements.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra gpu --extra otel -o worker/requirements-gpu.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra web --extra worker --extra export --extra local --extra c2pa --extra parquet --extra otel --group dev -o tests/requirements.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) tests/requirements-uv.in -o tests/requirements-uv.txt

.PHONY: revision
revision: setup ## Write a migration from the tables; MESSAGE="what changes"
	$(BIN)/toile migrate --revision "$(MESSAGE)"

.PHONY: clean
clean: ## Remove the environment and caches; keeps var/
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
