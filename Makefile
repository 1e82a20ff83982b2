# The verbs a newcomer expects. Every target sets up what it needs and is safe to run again.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
EXAMPLE := examples/react-approval
NEXT := examples/next
CONSOLE := python/signoff/server/console/index.html
export NEXT_TELEMETRY_DISABLED := 1

.PHONY: help demo test check docs fix bench setup setup-python setup-js setup-browser setup-servers clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: setup-python-demo $(EXAMPLE)/dist/index.html $(CONSOLE) ## Start the product with the examples on the embedded store
	@exec $(PY) examples/demo.py

test: setup setup-servers ## Run every suite against real servers and a real browser
	@.ci/suites

check: setup ## Lint, types, import rules, and the shape of the code
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -q tests/test_architecture.py
	.venv/bin/python .ci/openapi --check
	npm --prefix js-client run --silent lint
	npm --prefix js-client run --silent typecheck
	npm --prefix $(EXAMPLE) run --silent lint
	npm --prefix $(EXAMPLE) run --silent typecheck
	npm --prefix $(NEXT) run --silent lint
	npm --prefix $(NEXT) run --silent typecheck

docs: setup-python js-client/node_modules/.package-lock.json ## Build the documentation as a site, in site/, and check its links
	@.venv/bin/python .ci/docs

fix: setup-python ## Format, apply the safe fixes, write anew what is made from the schemas
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	.venv/bin/python .ci/openapi
	npm --prefix js-client run --silent generate

bench: setup-python js-client/node_modules/.package-lock.json ## Measure the engine and the stream server
	$(PY) bench/engine.py
	$(PY) bench/streams.py
	$(PY) bench/compaction.py

setup: setup-python setup-js setup-browser ## Install everything the other targets need

setup-python: .venv/.dev
setup-python-demo: .venv/.demo

.venv/bin/python:
	@.ci/setup python

# The demo needs no test tools; the tests need all of it.
.venv/.demo: .venv/bin/python pyproject.toml constraints.txt
	@[ -f .venv/.dev ] && [ .venv/.dev -nt pyproject.toml ] || .ci/setup pip '.'
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml constraints.txt
	@.ci/setup pip '.[dev]'
	@.ci/setup pyright
	@touch $@ .venv/.demo

setup-js: js-client/dist/index.js $(CONSOLE) $(EXAMPLE)/dist/index.html $(NEXT)/.next/BUILD_ID \
  tests/conformance/node_modules/.package-lock.json tests/aisdk/node_modules/.package-lock.json \
  tests/agui/node_modules/.package-lock.json

js-client/node_modules/.package-lock.json: js-client/package.json js-client/package-lock.json
	@.ci/setup npm js-client && touch $@

js-client/dist/index.js: js-client/node_modules/.package-lock.json $(shell find js-client/src -type f 2>/dev/null)
	@npm --prefix js-client run --silent build && touch $@

# Part of the Python package: whoever installs a wheel has it.
$(CONSOLE): js-client/dist/index.js $(shell find js-client/console -type f 2>/dev/null)
	@npm --prefix js-client run --silent build:console && touch $@

$(EXAMPLE)/node_modules/.package-lock.json: $(EXAMPLE)/package.json $(EXAMPLE)/package-lock.json js-client/dist/index.js
	@.ci/setup npm $(EXAMPLE) && touch $@

$(EXAMPLE)/dist/index.html: $(EXAMPLE)/node_modules/.package-lock.json $(EXAMPLE)/index.html $(shell find $(EXAMPLE)/src -type f 2>/dev/null)
	@npm --prefix $(EXAMPLE) run --silent build && touch $@

$(NEXT)/node_modules/.package-lock.json: $(NEXT)/package.json $(NEXT)/package-lock.json js-client/dist/index.js
	@.ci/setup npm $(NEXT) && touch $@

$(NEXT)/.next/BUILD_ID: $(NEXT)/node_modules/.package-lock.json $(NEXT)/next.config.ts $(shell find $(NEXT)/app $(NEXT)/lib -type f 2>/dev/null)
	@log=$$(npm --prefix $(NEXT) run --silent build 2>&1) || { echo "$$log"; exit 1; }; touch $@

tests/conformance/node_modules/.package-lock.json: tests/conformance/package.json tests/conformance/package-lock.json
	@.ci/setup npm tests/conformance && touch $@

tests/aisdk/node_modules/.package-lock.json: tests/aisdk/package.json tests/aisdk/package-lock.json
	@.ci/setup npm tests/aisdk && touch $@

tests/agui/node_modules/.package-lock.json: tests/agui/package.json tests/agui/package-lock.json
	@.ci/setup npm tests/agui && touch $@

setup-browser: setup-python
	@.ci/setup browser

# Goes on without: then the tests that need a server fail, and all others tell what they have to tell.
setup-servers:
	@.ci/setup servers || true

clean: ## Remove everything that was built or installed here
	rm -rf .venv js-client/{node_modules,dist} python/signoff/server/console $(EXAMPLE)/{node_modules,dist} $(NEXT)/{node_modules,.next} tests/{conformance,aisdk,agui}/node_modules .demo site
	find . -name __pycache__ -not -path '*/node_modules/*' -prune -exec rm -rf {} +
