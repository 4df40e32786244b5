# AlgoMirror. `make demo` to look, `make test` to believe, `make check` before a commit.
PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help demo demo-password test check format css shots bench soak lock env env-dev

help:
	@echo "make demo           three simulated accounts on a market that never closes, in a browser"
	@echo "make demo-password  a new password for the demo's user"
	@echo "make test           every test on SQLite; what claims and constrains also on PostgreSQL"
	@echo "make check          format, lint, types, layers, migrations, then the tests"
	@echo "make bench          measured figures against their targets"
	@echo "make soak           long histories (slow)"
	@echo "make css            build the style sheet (needs Node)"
	@echo "make shots          screenshots of every page (needs Chromium)"
	@echo "make lock           refresh the locked versions"

env:
	@sh bin/python-env requirements.lock

env-dev:
	@sh bin/python-env requirements-dev.lock

demo: env
	@$(PY) manage.py demo

demo-password: env
	@$(PY) manage.py demo --new-password

test: env-dev
	@sh bin/test

check: env-dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	@sh bin/with-test-settings $(PY) -m mypy
	.venv/bin/lint-imports
	@sh bin/with-test-settings $(PY) manage.py makemigrations --check --dry-run
	@sh bin/test

format: env-dev
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

css:
	npm install --no-save --no-audit --no-fund
	npm run css

shots: env-dev
	@sh bin/system-packages chromium
	@sh bin/with-test-settings env DJANGO_SETTINGS_MODULE=algomirror.settings $(PY) -m tests.e2e.shots

bench: env-dev
	@$(PY) -m bench

soak: env-dev
	$(PY) -m tests.histories
	$(PY) -m pytest -m soak -o timeout=0

lock: env-dev
	$(PY) -m pip install --quiet uv
	$(PY) -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml -o requirements-dev.lock
	$(PY) -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header -c requirements-dev.lock pyproject.toml -o requirements.lock
