# make demo | make test | make check | make bench: each does its own set-up first. Everything else: lakou --help.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
RUN_STAMP := $(VENV)/.lakou-run
DEV_STAMP := $(VENV)/.lakou-dev
# A site whose Python stands elsewhere says: make PYTHON=/usr/local/bin/python3.12 setup
PYTHON ?=
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes
COMPILE := $(PY) -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options
# Arguments for the demo and the tests: make demo ARGS="--port 9000", make test ARGS="-k tokens".
ARGS ?=

.PHONY: help setup setup-dev demo test check docs format bench lock clean

help: ## list what make can do here
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile

setup: $(RUN_STAMP) ## install what the product needs into .venv

setup-dev: $(DEV_STAMP)

$(PY):
	@python="$(PYTHON)"; \
	for candidate in python3.13 python3.12 python3.11 python3; do \
	  [ -n "$$python" ] && break; \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$candidate"; fi; \
	done; \
	if [ -z "$$python" ]; then echo "Lakou needs Python 3.11 or later; none was found. On Debian 12: apt-get install python3" >&2; exit 1; fi; \
	if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then "$$python" -m venv $(VENV); \
	elif "$$python" -m pip --version >/dev/null 2>&1 && "$$python" -m venv --without-pip $(VENV) 2>/dev/null \
	  && "$$python" -m pip --python $(VENV)/bin/python install --quiet pip; then :; \
	elif command -v virtualenv >/dev/null; then virtualenv --quiet --python "$$python" $(VENV); \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Debian's python3-venv is missing: installing it"; \
	  { apt-get -qq update && apt-get -qq install -y python3-venv; } >/dev/null && rm -rf $(VENV) && "$$python" -m venv $(VENV); \
	else rm -rf $(VENV); \
	  echo "No virtual environment could be made: install python3-venv (Debian: apt-get install python3-venv) and try again" >&2; exit 1; \
	fi

# The interpreter is an order-only need: its own date says nothing about what is installed.
$(RUN_STAMP): requirements.lock pyproject.toml | $(PY)
	@echo "Installing what requirements.lock names (a minute on the first run)"
	@$(PIP_INSTALL) -r requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@if [ -f package-lock.json ] && [ -f lakou/web/vendor.py ]; then $(PY) -m lakou.web.vendor \
	  || echo "The pages' font could not be fetched: they use the system's font (make setup tries again)"; fi
	@touch $@

$(DEV_STAMP): requirements-dev.lock $(RUN_STAMP)
	@echo "Installing the tools of requirements-dev.lock"
	@$(PIP_INSTALL) -r requirements.lock -r requirements-dev.lock
	@touch $@

demo: setup ## a small territory that lives, at http://127.0.0.1:8000/poste
	@$(VENV)/bin/lakou demo $(ARGS)

test: setup-dev ## all tests, on SQLite always, on PostgreSQL when LAKOU_TEST_POSTGRES names one
	@$(PY) -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup-dev ## format, lint, types, layers, migrations, docs
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	@mkdir -p build/check
	LAKOU_DATA=build/check $(VENV)/bin/django-admin makemigrations --check --dry-run --settings lakou.server.settings
	$(PY) -m lakou.server.reference --check

docs: setup-dev ## write the generated pages of docs/reference again
	$(PY) -m lakou.server.reference

format: setup-dev ## lay the code out and mend what ruff can mend
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: setup-dev ## measure the promises of the design on this machine
	$(PY) -m bench $(ARGS)

lock: setup-dev ## write the lock files again from requirements*.in
	PIP_FIND_LINKS= $(COMPILE) --output-file requirements.lock requirements.in
	PIP_FIND_LINKS= $(COMPILE) --output-file requirements-dev.lock requirements-dev.in

clean: ## remove what make has made, the demo's data too
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache data/demo
