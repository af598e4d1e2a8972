# Everything is set up by the target that needs it: `make demo` and `make test` work in a fresh clone.
PYTHON ?= python3.11
BIN := .venv/bin
SETUP := .venv/.ready
ENGINE ?= /var/tmp/make-us-rich-engine

export KEDRO_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo serve month test test-browser system-packages lint types contracts docs bench bench-pairs bench-serving bench-interface bench-quality mlflow viz clean
.PHONY: soak schedule unschedule kubernetes package test-compose

help: ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(SETUP) ## A .venv with everything, byte-compiled

$(SETUP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there: install Python 3.11 or name another with PYTHON="; exit 1; }
	@echo "Setting up .venv: about 2.5 GB, a few minutes the first time"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --compile --constraint constraints.txt --editable ".[training,serving,interface,cluster,dev]"
	@touch $@

demo: $(SETUP) ## Train, check and publish on the replay exchange, then show what came out; PAIRS=40 for forty pairs
	@PATH="$(CURDIR)/$(BIN):$$PATH" PAIRS="$(PAIRS)" ./demo.sh

serve: $(SETUP) ## API and interface on what has been published, in the foreground; KEDRO_ENV=demo for the demo's
	@exec $(BIN)/python serve.py

test-browser: $(SETUP) system-packages ## The interface in a real browser; keeps screenshots
	@$(BIN)/pytest tests/browser/interface; code=$$?; echo "Screenshots: $(CURDIR)/.screenshots/interface"; exit $$code

test: $(SETUP) system-packages ## All tests, on real parts
	$(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile --ignore tests/compose

soak: $(SETUP) ## kill -9 a retrain at random moments: KILLS=200, SEED=<number> for others
	MAKE_US_RICH_KILLS=$(or $(KILLS),200) MAKE_US_RICH_SEED=$(or $(SEED),20250301) $(BIN)/pytest -s -q tests/integration/test_spine_killed.py -k any_moment

test-compose: $(SETUP) ## Build the images and bring everything up on an engine started for it; 15 to 25 minutes, 15 GB, root on Debian
	@mkdir "$(ENGINE)"
	@MAKE_US_RICH_ENGINE="$(ENGINE)" $(BIN)/pytest -v tests/compose; status=$$?; rm -rf "$(ENGINE)"; exit $$status

system-packages: ## Chromium, PostgreSQL, cron, curl and Node.js for the tests that drive them; as root through apt
	@./tests/system-packages.sh

lint: $(SETUP) ## Style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(SETUP) ## mypy --strict
	$(BIN)/mypy

contracts: $(SETUP) ## Who may import whom
	$(BIN)/lint-imports --no-cache

docs: $(SETUP) ## The documentation site, strictly, into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

month: $(SETUP) ## A simulated month with all that can go wrong; the last line is one JSON object
	$(BIN)/python -m benchmarks.month

bench: CLUSTER := 1
bench: $(SETUP) bench-pairs bench-serving bench-interface $(if $(DATA),bench-quality) ## Every benchmark; the last line of each is one JSON object; DATA=<folder> OUT=<csv> for that of quality
	$(BIN)/python benchmarks/preprocessing.py
	$(BIN)/python benchmarks/spine.py
	$(BIN)/python -m benchmarks.recipe

bench-serving: $(SETUP) system-packages ## The API beside a no-op endpoint, on PostgreSQL; start-up and memory by number of pairs
	@$(BIN)/python -m benchmarks.api

bench-pairs: $(SETUP) ## Many pairs side by side: PAIRS=40, or several as in PAIRS="1 10 40" WORKERS="1 2"; CLUSTER=1 on Dask, too
	$(BIN)/python -m benchmarks.pairs --pairs $(or $(PAIRS),40) $(if $(WORKERS),--workers $(WORKERS)) $(if $(CLUSTER),--cluster)

bench-interface: $(SETUP) system-packages ## The interface in a real browser: first paint, and memory for a session
	@$(BIN)/python -m benchmarks.dashboard

bench-quality: $(SETUP) ## Every architecture against the baseline on a folder of kline files: DATA=<folder> OUT=<csv>
	@test -n "$(DATA)" -a -n "$(OUT)" || { echo "say what to read and what to write: make bench-quality DATA=<folder> OUT=<csv>"; exit 1; }
	$(BIN)/python benchmarks/quality.py "$(DATA)" "$(OUT)"

schedule: $(SETUP) ## Let cron run every pair each hour; KEDRO_ENV=production for that environment
	@$(BIN)/kedro schedule $(if $(KEDRO_ENV),--env="$(KEDRO_ENV)")

unschedule: $(SETUP) ## Take that out of the crontab again
	@$(BIN)/kedro unschedule

kubernetes: $(SETUP) ## A CronJob for each pair into deploy/kubernetes/hourly.yaml
	@$(BIN)/python deploy/kubernetes/write_hourly.py

package: $(SETUP) ## The package into dist/; TAG=v0.2.0 refuses another version than that
	@$(if $(TAG),grep -qx 'version = "$(TAG:v%=%)"' pyproject.toml || { echo "$(TAG) is not the version in pyproject.toml"; exit 1; })
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

mlflow: $(SETUP) ## The runs, in a browser
	$(BIN)/kedro mlflow ui

viz: $(SETUP) ## The flow, in a browser
	$(BIN)/kedro viz run

clean: ## Remove what was built; data/ stays
	rm -rf .venv build dist site src/*.egg-info .mypy_cache .ruff_cache .hypothesis
