# Callyard. `make demo` and `make test` set everything up by themselves; nothing is written outside this folder,
# but for Debian packages that apt installs when they are missing.
SHELL := /bin/bash
.DEFAULT_GOAL := help
HOME_DIR := $(or $(CALLYARD_HOME),$(CURDIR)/.callyard)
VENV := $(HOME_DIR)/venv
PY := $(VENV)/bin/python
SECONDS ?= 0
export PYTHONUNBUFFERED = 1
export CALLYARD_HOME = $(HOME_DIR)

.PHONY: help setup setup-demo demo test check fix bench bench-engine bench-waiting soak chaos mutants doctor lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@echo "— Python packages (about a minute the first time)"
	@bash lab/venv.sh "$(VENV)" requirements/dev.txt
	@touch $@

setup-demo: $(VENV)/.ready
	@$(PY) -m lab.setup demo

setup: $(VENV)/.ready ## everything that demo, tests and checks need
	@$(PY) -m lab.setup all

demo: setup-demo ## callers, agents and a real Asterisk; SECONDS=60 ends by itself
	@exec $(PY) -m lab.demo --seconds $(SECONDS)

test: setup ## all tests, real Asterisk and real Chromium included
	@exec $(PY) -m lab.tests

check: setup ## format, lint, types, import contracts
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --cache-dir "$(HOME_DIR)/import-linter"
	@$(PY) -m lab.web check

fix: $(VENV)/.ready ## format, and mend what the linter can
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

bench: setup-demo ## ours against app_queue on the same Asterisk: idle gaps, throughput
	@exec $(PY) -m lab.bench

bench-engine: $(VENV)/.ready ## the engine alone: decisions a second, and how they grow
	@exec $(PY) -m lab.bench_engine

bench-waiting: setup-demo ## 1,500 callers who wait at once: memory, and who is served first
	@exec $(PY) -m lab.bench_waiting

soak: $(VENV)/.ready ## EVENTS=1000000 judged one by one, properties EFFORT=20 times, hostile input MINUTES=20 or INPUTS=
	@EVENTS=$(or $(EVENTS),1000000) EFFORT=$(or $(EFFORT),20) MINUTES=$(or $(MINUTES),20) INPUTS=$(or $(INPUTS),0) \
		SEED=$(or $(SEED),1) exec $(PY) -m lab.soak $(PARTS)

chaos: setup-demo ## faults of every kind under load, judged from outside; SEED=1 MINUTES=15 DB=sqlite|postgres
	@exec $(PY) -m lab.chaos --seed $(or $(SEED),1) --minutes $(or $(MINUTES),15) --database $(or $(DB),sqlite)

mutants: $(VENV)/.ready ## small faults planted in acd: how many its tests find; N=300 SEED=1 LEAST=85
	@N=$(or $(N),300) SEED=$(or $(SEED),1) LEAST=$(or $(LEAST),85) exec $(PY) -m lab.mutants $(MODULES)

doctor: $(VENV)/.ready ## what is wrong with this installation, and what to do
	@$(VENV)/bin/callyard doctor

lock: ## write requirements/*.txt anew, with hashes and without addresses
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		requirements/dev.in -o requirements/dev.txt
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		requirements/run.in -c requirements/dev.txt -o requirements/run.txt

clean: ## remove what was set up here (only our own folder)
	@rm -rf "$(HOME_DIR)" screenpop/web/node_modules screenpop/web/dist
