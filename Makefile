# `make up` starts BotMatrix, `make test` runs the tests. Nothing but git, make and Python 3.11 or newer is needed.

SHELL := /bin/sh
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input --quiet

.PHONY: up test lint bench chaos docs lock vendor screenshots clean
.DEFAULT_GOAL := up

up: .venv/.run
	@exec $(BIN)/botmatrix up $(ARGS)

test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.dev
	$(BIN)/python -m bench $(ARGS)

# The quick run takes three minutes or so; `make chaos FULL=1` more than an hour.
chaos: .venv/.dev
	$(BIN)/python -m tests.chaos $(if $(FULL),--full) $(ARGS)

# docs/commands.md, from the commands themselves.
docs: .venv/.dev
	$(BIN)/typer botmatrix.cli.main utils docs --name botmatrix --title "Commands" --output docs/commands.md

# After a change of the dependencies in pyproject.toml; needs uv.
lock:
	uv pip compile -q pyproject.toml $(LOCK) --group build -o requirements.lock
	uv pip compile -q pyproject.toml $(LOCK) --group build --group dev -o requirements-dev.lock
LOCK := --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

# The console's libraries, in the versions that the manifests name; needs npm.
vendor: .venv/.dev
	$(BIN)/python scripts/vendor.py $(ARGS)

# docs/console/*.png, of a matrix of its own; needs chromium.
screenshots: .venv/.dev
	$(BIN)/python -m pytest -q tests/browser/screenshots.py

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist

.venv/.run: requirements.lock pyproject.toml | .venv
	@echo "Installing what BotMatrix needs into .venv (once; a minute or so) ..."
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements-dev.lock pyproject.toml | .venv
	@echo "Installing what the tests need into .venv (once; a minute or so) ..."
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@ .venv/.run

# The first Python that is new enough and can make environments; PYTHON=... names one.
.venv:
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3.14 python3; do \
	  "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  echo "Making .venv with $$python ..."; \
	  "$$python" -m venv .venv && exit 0; rm -rf .venv; \
	done; \
	echo "BotMatrix needs Python 3.11 or newer with the venv module, and found none." >&2; \
	echo "On Debian and Ubuntu: apt-get install python3 python3-venv. Or name one: make up PYTHON=/path/to/python3" >&2; \
	exit 1
