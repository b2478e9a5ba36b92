# Each target makes what it needs; `make demo` and `make test` are all that a fresh clone asks for.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo demo-results pictures docs test test-all lint format bench learning clean

demo: $(READY)  ## the main job: train with and without compensation, and look at the difference
	$(BIN)/python -m transreward_baselines.demo

demo-results: demo  ## what the demonstration found, into README.md and docs/demo.md
	$(BIN)/python docs/demo_results.py
	$(MAKE) docs

pictures: $(READY)  ## docs/gallery.md and its pictures
	$(BIN)/python -m transreward_baselines.render.gallery

test: $(READY)  ## the quick tests
	$(BIN)/python -m pytest -n auto

test-all: $(READY)  ## the slow tests too
	$(BIN)/python -m pytest -n auto -m ""

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

SPEED ?= runs/speed

bench: $(READY)  ## times, not tests: run it on a quiet machine; SPEED=docs/speed measures what is published
	$(BIN)/python -m benchmarks.wrapper_cost
	$(BIN)/python -m benchmarks.suite_cost
	$(BIN)/python -m benchmarks.lanes_cost --out $(SPEED)
	$(BIN)/python -m benchmarks.dataset_cost
	$(BIN)/python -m benchmarks.relabelling_cost
	$(BIN)/python -m benchmarks.drae_cost
	$(BIN)/python -m benchmarks.alignment_cost
	$(BIN)/python -m benchmarks.world_model_cost
	$(BIN)/python -m benchmarks.offline_speed
	$(BIN)/python -m benchmarks.sb3_speed --out $(SPEED)
	$(BIN)/python -m benchmarks.stepping --out $(SPEED)

learning: $(READY)  ## return against wall-clock time, an hour or two; goes on where it was
	$(BIN)/python -m studies.learning --figure docs/images/learning-wall-clock.png

docs: $(READY)  ## what is generated: robots, pairs, effective values, reference returns and their figure
	$(BIN)/python docs/references.py
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# PyTorch comes first and by its exact version, so that nothing else chooses a build for it.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@
