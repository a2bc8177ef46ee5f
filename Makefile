# Owns the commands of a working copy: set-up, checks, tests, demonstration. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A stamp is named by the hash of what it stands for, so that a change of branch rebuilds and a `touch` does not.
LOCKED := $(VENV)/.locked-$(shell sha256sum requirements.txt | cut -c1-16)
LINKED := $(VENV)/.linked-$(shell sha256sum requirements.txt pyproject.toml | sha256sum | cut -c1-16)
MODULES := node_modules/.locked-$(shell sha256sum package-lock.json | cut -c1-16)
BUILT := agent_desk/static/js/.built-$(shell cat package-lock.json Makefile agent_desk/web/*.ts | sha256sum | cut -c1-16)
# Node comes from a wheel of requirements.txt; the machine's own, if there is one, is not asked.
NODE := PATH="$(abspath $(BIN)):$$PATH"
PAGES := $(addprefix agent_desk/web/,agent.ts wall.ts recordings.ts)
# Compiled at set-up, for where Python itself may write no bytecode each start of a process would do so anew.
ROOMS := hotline ctiserver casework ivr agent_desk asterisk_conf rehearsal cli
PYTEST := $(BIN)/python -m pytest
QUICK_TESTS = tests/unit tests/replay
# Whole hotlines mostly wait for people who talk, so more of them run at once than there are cores.
AT_ONCE = -n 5 --dist loadfile

.PHONY: help setup machine switch demo test lint format unit bench lock clean

help: ## list these targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: machine $(LINKED) $(BUILT) switch ## install everything that is missing; seconds when nothing is
	@$(BIN)/python -m compileall -q $(ROOMS)

machine:
	@tools/machine-packages

switch: $(LINKED)
	@$(BIN)/python -m asterisk_conf.install

$(LOCKED): requirements.txt
	@echo "setup: Python packages of requirements.txt into $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("make setup: needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(LINKED): $(LOCKED)
	@rm -f $(VENV)/.linked-*
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .
	@touch $@

$(MODULES): package-lock.json $(LOCKED)
	@echo "setup: the pages' packages of package-lock.json into node_modules"
	@$(NODE) npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(BUILT): $(MODULES) $(wildcard agent_desk/web/*.ts)
	@rm -rf agent_desk/static/js
	@$(NODE) node_modules/.bin/esbuild $(PAGES) --bundle --splitting --format=esm --minify --log-level=warning \
	    --target=chrome110,firefox115 --outdir=agent_desk/static/js
	@gzip -9kn agent_desk/static/js/*.js
	@touch $@

demo: setup ## a whole hotline with citizens, seats and departments on this machine
	@$(BIN)/hotline demo

test: setup lint unit ## everything: checks, unit, replay, then a real Asterisk and a real browser
	@echo "test: $(QUICK_TESTS) on PostgreSQL, and those that take long"
	@$(PYTEST) -n 2 -m slow $(QUICK_TESTS)
	@echo "test: tests/integration"
	@$(PYTEST) $(AT_ONCE) tests/integration
	@echo "test: tests/browser"
	@$(PYTEST) -n 3 --dist loadfile tests/browser
	@echo "test: all passed"

lint: $(LINKED) $(MODULES) ## ruff, mypy --strict, the floors of the house (import-linter), tsc --strict
	@echo "lint: ruff, mypy, import-linter, tsc"
	@failed=; \
	$(NODE) node_modules/.bin/tsc || failed=" [tsc]"; \
	for check in "ruff check" "ruff format --check" mypy "lint-imports --no-logo"; do \
	  $(BIN)/$$check || failed="$$failed [$$check]"; \
	done; \
	[[ -z $$failed ]] || { echo "lint: failed:$$failed"; exit 1; }

format: $(LINKED) ## let ruff lay out the code
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

unit: $(LINKED) $(BUILT) ## the quick tests: the pure core, and each shell by itself
	@echo "test: $(QUICK_TESTS)"
	@$(PYTEST) -n 3 -m "not slow" $(QUICK_TESTS)

bench: setup ## measure speed within one run; `python -m bench casework` measures with 1,330,000 cases
	@$(BIN)/python -m bench

lock: ## choose versions anew and write requirements.txt and package-lock.json
	@$(PYTHON) -m venv --clear build/lock
	@build/lock/bin/python -m pip install -q --disable-pip-version-check pip-tools==7.6.2
	@CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile -q --upgrade --generate-hashes --allow-unsafe \
	    --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
	    --extra dev --output-file requirements.txt pyproject.toml
	@$(NODE) npm update --ignore-scripts --no-audit --no-fund --loglevel=error

clean: ## remove what set-up and tests left here (not the cached Asterisk)
	@rm -rf $(VENV) node_modules agent_desk/static/js build *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis
