# Two commands on a fresh machine: `make quick` (set up and run the main job) and `make test` (set up and run every test).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: quick truncation test check format clean help

help:
	@echo "make quick   set up and run studies/quick.yaml: 72 fits and relaxations of a tungsten screw dislocation"
	@echo "make truncation  set up, run studies/truncation*.yaml and fit their rates: under an hour"
	@echo "make test    set up and run every test"
	@echo "make check   set up, lint, check formatting and types"
	@echo "make format  set up and reformat the code"
	@echo "make clean   remove caches and the quick study's results (not $(VENV))"

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,slurm]'
	touch $@

quick: $(READY)
	$(BIN)/sweep run studies/quick.yaml
	$(BIN)/sweep figures tungsten-quick.zarr
	$(BIN)/sweep report tungsten-quick.zarr

truncation: $(READY)
	$(BIN)/sweep run studies/truncation-snap.yaml
	$(BIN)/sweep run studies/truncation.yaml
	$(BIN)/python benchmarks/truncation.py truncation.zarr truncation-snap.zarr

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" $(PYTEST)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info tungsten-quick.zarr tungsten-quick.zarr.run tungsten-quick.figures tungsten-quick.html
