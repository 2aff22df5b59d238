# Two commands do all the set-up: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
SOURCE ?= sim:orchard
PORT ?= 8642
DATA ?= hedgerow-data
TESTS ?= tests
WORKERS ?= 3
IMAGES ?= ../shared/data/orchard
VIDEO ?= ../shared/data/video/orchard_pan_dev.mp4

.PHONY: help run test faults check format clean ultralytics bench bench-accuracy bench-sync bench-bundle bench-capture

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

# SOURCE goes through as it was typed: passwords of cameras hold any character.
run: $(VENV)/.run ## Start the demo: broker, agent, cloud ingest and status page. SOURCE=rtsp://... | video.mp4 | /dev/video0 | folder/
	@exec $(VENV)/bin/hedgerow demo --source '$(subst ','\'',$(value SOURCE))' --port $(PORT) --data "$(DATA)"

test: $(VENV)/.test ## Run the tests; what a machine lacks (mosquitto, Chromium, ...) is skipped and said
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

faults: $(VENV)/.test ## Break everything between box and cloud hundreds of times, and write docs/fault-matrix.md (half an hour)
	rm -f $(VENV)/faults.json
	HEDGEROW_FAULTS=long HEDGEROW_FAULTS_RESULTS=$(VENV)/faults.json \
	  $(VENV)/bin/python -m pytest tests/faults --timeout=3600 || failed=1; \
	  HEDGEROW_FAULTS=long $(VENV)/bin/python -m tests.faults.matrix docs/fault-matrix.md $(VENV)/faults.json && exit $${failed:-0}

check: $(VENV)/.test ## Lint and type-check
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(VENV)/.test ## Format the code
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

ultralytics: $(VENV)/.ultralytics ## Add the toolchain [ultralytics] with a CPU torch: training, export, parity tests

bench: $(VENV)/.ultralytics ## Speed and cost, each figure beside its peer and what it must reach; writes benchmarks/results.json
	$(VENV)/bin/python -m benchmarks.speed --video "$(VIDEO)" --images "$(IMAGES)/images/train"

bench-accuracy: $(VENV)/.ultralytics ## Recompute the model card's table; counts along a row and over a line, with what is required. IMAGES=folder VIDEO=file
	$(VENV)/bin/python -m benchmarks.accuracy "$(IMAGES)"
	$(VENV)/bin/python -m benchmarks.counting "$(VIDEO)"
	$(VENV)/bin/python -m benchmarks.tiling "$(IMAGES)"

bench-sync: $(VENV)/.test ## Measure the sync: messages beside mosquitto_pub, rows to PostgreSQL, bytes a row, memory
	$(VENV)/bin/python -m benchmarks.sync

bench-bundle: $(VENV)/.test ## Export and import of a month without a link: rows a second, memory, bytes a row
	nice $(VENV)/bin/python -m benchmarks.bundle

bench-capture: $(VENV)/.test ## Measure what watching costs: processor and memory of the daemon on still scenes
	$(VENV)/bin/python -m benchmarks.capture_cost

clean: ## Remove the virtual environment and caches; data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Hedgerow needs Python 3.11 or newer; this is $$($(PYTHON) -V)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -q && apt-get install -qy python3-venv; \
	  else echo "python3 comes without venv here. Once: sudo apt-get install -y python3-venv" >&2; exit 1; fi; }
	@$(PYTHON) -m venv --clear $(VENV) && touch $@

$(VENV)/.run: pyproject.toml | $(VENV)/.made
	@echo "Installing Hedgerow into $(VENV) (once, about 200 MB)..."
	@$(PIP) install --quiet --editable ".[demo]"
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/.made
	@echo "Installing Hedgerow and its test tools into $(VENV) (once)..."
	@$(PIP) install --quiet --editable ".[test,check]"
	@touch $@ $(VENV)/.run

# torch first and constrained, or ultralytics pulls gigabytes of CUDA; the headless OpenCV last, because ultralytics
# brings the GUI build, which needs libGL.
$(VENV)/.ultralytics: $(VENV)/.test
	@echo "Installing the toolchain into $(VENV) (once)..."
	@echo "torch==2.13.0" > $(VENV)/constraints.txt
	@$(PIP) install --quiet torch==2.13.0
	@$(PIP) install --quiet --constraint $(VENV)/constraints.txt --editable ".[ultralytics,calibration]"
	@$(PIP) uninstall --quiet --yes opencv-python opencv-python-headless
	@$(PIP) install --quiet --no-deps opencv-python-headless
	@touch $@
