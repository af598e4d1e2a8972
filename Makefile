# Everything is set up by the target that needs it: `make demo` and `make test` work in a fresh clone.
PYTHON ?= python3.11
BIN := .venv/bin
SETUP := .venv/.ready
ENGINE ?= /var/tmp/make-us-rich-engine
BOT := examples/freqtrade

export KEDRO_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1
export ORT_DISABLE_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Folders of wheels that pip is given serve uv, too; it reads no pip.conf.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.DEFAULT_GOAL := help
.PHONY: help setup lock demo serve month test test-browser system-packages lint types contracts docs bench bench-pairs bench-serving bench-interface bench-quality mlflow viz clean
.PHONY: bot coverage openapi site soak schedule unschedule kubernetes package test-compose

help: ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(SETUP) ## A .venv with everything, byte-compiled

$(SETUP): pyproject.toml requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there: install it, or name Python 3.11, 3.12 or 3.13 with PYTHON="; exit 1; }
	@echo "Setting up .venv: about 2.5 GB, a few minutes the first time"
	$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt
	$(BIN)/pip install --quiet --require-hashes --requirement .venv/uv.txt
	UV_FIND_LINKS="$${UV_FIND_LINKS:-$$($(BIN)/pip config get global.find-links 2>/dev/null)}" \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint requirements.txt --editable ".[training,serving,interface,cluster,dev]"
	@touch $@

lock: $(SETUP) ## requirements.txt after a change of pyproject.toml; UPGRADE=1 for the newest versions
	@# Without a folder of wheels: its builds are for this machine alone.
	UV_FIND_LINKS= $(BIN)/uv pip compile --quiet --universal --all-extras --group mlflow-server --generate-hashes --no-annotate --no-emit-package torch --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) pyproject.toml --output-file requirements.txt

demo: $(SETUP) ## Train, check and publish on the replay exchange, then show what came out; PAIRS=40 for forty pairs
	@PAIRS="$(PAIRS)" $(BIN)/python -m make_us_rich.demo

serve: $(SETUP) ## API and interface on what has been published, in the foreground; KEDRO_ENV=demo for the demo's
	@exec $(BIN)/python -m make_us_rich.serve

test-browser: $(SETUP) system-packages ## The interface in a real browser; keeps screenshots
	@$(BIN)/pytest tests/browser/test_interface.py; code=$$?; echo "Screenshots: $(CURDIR)/.screenshots/interface"; exit $$code

test: $(SETUP) system-packages ## All tests, on real parts
	$(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder --ignore tests/compose

coverage: $(SETUP) system-packages ## All tests with the branch coverage of src, serving and interface; pages in htmlcov/
	$(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder --ignore tests/compose --cov --cov-report=term --cov-report=html

soak: $(SETUP) ## kill -9 a retrain at random moments: KILLS=200, SEED=<number> for others
	MAKE_US_RICH_KILLS=$(or $(KILLS),200) MAKE_US_RICH_SEED=$(or $(SEED),20250301) $(BIN)/pytest -s -q tests/end_to_end/test_killed.py -k any_moment

test-compose: $(SETUP) ## Build the images and bring everything up on an engine started for it; 15 to 25 minutes, 15 GB, root on Debian
	@mkdir "$(ENGINE)"
	@MAKE_US_RICH_ENGINE="$(ENGINE)" $(BIN)/pytest -v tests/compose; status=$$?; rm -rf "$(ENGINE)"; exit $$status

system-packages: ## Chromium, PostgreSQL, cron, strace and others for the tests that drive them; as root through apt
	@./tests/system-packages.sh

lint: $(SETUP) ## Style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(SETUP) ## mypy --strict
	$(BIN)/mypy

contracts: $(SETUP) ## Who may import whom
	$(BIN)/lint-imports --no-cache

openapi: $(SETUP) ## docs/reference/openapi.json, after a change of the API
	@$(BIN)/python -c 'import json; from serving.main import create_app; from serving.settings import Settings; print(json.dumps(create_app(Settings()).openapi(), indent=1))' > .openapi.json
	@mv .openapi.json docs/reference/openapi.json

docs: $(SETUP) ## The documentation site, strictly, into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict # --quiet would not see the warnings

site: docs ## The same, and in site/viz the pipeline in Kedro-Viz with previews of what make demo has made
	@rm -rf build && KEDRO_ENV=demo $(BIN)/kedro viz build --include-previews && mv build site/viz

month: $(SETUP) ## A simulated month with all that can go wrong; the last line is one JSON object
	$(BIN)/python -m benchmarks.month

bench: CLUSTER := 1
bench: $(SETUP) bench-pairs bench-serving bench-interface $(if $(DATA),bench-quality) ## Every benchmark; the last line of each is one JSON object; DATA=<folder> OUT=<csv> for that of quality
	$(BIN)/python benchmarks/preprocessing.py
	$(BIN)/python benchmarks/run.py
	$(BIN)/python -m benchmarks.original_recipe

bench-serving: $(SETUP) system-packages ## The API beside a no-op endpoint, on PostgreSQL; start-up and memory by number of pairs
	@$(BIN)/python -m benchmarks.api

bench-pairs: $(SETUP) ## Many pairs side by side: PAIRS=40, or several as in PAIRS="1 10 40" WORKERS="1 2"; CLUSTER=1 on Dask, too
	$(BIN)/python -m benchmarks.pairs --pairs $(or $(PAIRS),40) $(if $(WORKERS),--workers $(WORKERS)) $(if $(CLUSTER),--cluster)

bench-interface: $(SETUP) system-packages ## The interface in a real browser: first paint, and memory for a session
	@$(BIN)/python -m benchmarks.dashboard

bench-quality: $(SETUP) ## Every architecture against the baseline on a folder of kline files: DATA=<folder> OUT=<csv>
	@test -n "$(DATA)" -a -n "$(OUT)" || { echo "say what to read and what to write: make bench-quality DATA=<folder> OUT=<csv>"; exit 1; }
	$(BIN)/python benchmarks/quality.py "$(DATA)" "$(OUT)"

bot: $(SETUP) $(BOT)/.venv/.ready ## A freqtrade bot on recorded forecasts of a simulated market; DATA=<folder> for that of kline files
	@$(BIN)/python -m examples.freqtrade.backtest $(DATA)

$(BOT)/.venv/.ready: $(BOT)/requirements.txt
	@echo "Setting up $(BOT)/.venv: freqtrade, about 600 MB"
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(BOT)/.venv
	$(BIN)/uv pip install --quiet --python $(BOT)/.venv --requirement $<
	@touch $@

schedule: $(SETUP) ## Let cron run every pair each hour; KEDRO_ENV=production for that environment
	@$(BIN)/kedro schedule $(if $(KEDRO_ENV),--env="$(KEDRO_ENV)")

unschedule: $(SETUP) ## Take that out of the crontab again
	@$(BIN)/kedro unschedule

kubernetes: $(SETUP) ## The Helm chart as plain manifests into deploy/kubernetes.yaml
	@# Without blank lines, which differ between releases of Helm.
	@$(BIN)/helm template make-us-rich deploy/helm --namespace make-us-rich | grep . > .kubernetes.yaml
	@mv .kubernetes.yaml deploy/kubernetes.yaml

package: $(SETUP) ## The package into dist/; TAG=v0.2.0 refuses another version than that
	@$(if $(TAG),grep -qx 'version = "$(TAG:v%=%)"' pyproject.toml || { echo "$(TAG) is not the version in pyproject.toml"; exit 1; })
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

mlflow: $(SETUP) ## The address of MLflow's table of runs, and its server; KEDRO_ENV=demo for the demo's
	@$(BIN)/kedro mlflow ui

viz: $(SETUP) ## The flow, in a browser; PIPELINE=eth_usdt shows another pair's
	$(BIN)/kedro viz run --pipeline=$(or $(PIPELINE),btc_usdt)

clean: ## Remove what was built; data/ stays
	rm -rf .venv $(BOT)/.venv build dist site htmlcov .coverage* src/*.egg-info .mypy_cache .ruff_cache .hypothesis
