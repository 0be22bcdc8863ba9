# Two commands on a fresh machine: `make quick` (set up and run the main job) and `make test` (set up and run every test).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: case-study docs docs-test container-test quick truncation slurm-demo slurm-test chaos test check format clean help

help:
	@echo "make quick   set up and run studies/quick.yaml: 72 fits and relaxations of a tungsten screw dislocation"
	@echo "make truncation  set up, run studies/truncation*.yaml and fit their rates: under an hour"
	@echo "make case-study  set up, run studies/case/*.yaml, compare with docs/case-study and replace it: under an hour"
	@echo "make slurm-demo  the quick study on a SLURM cluster of this machine's own (Debian's slurmctld, slurmd, slurm-client, munge)"
	@echo "make slurm-test  every test on such a cluster, the slow ones too"
	@echo "make test    set up and run every test"
	@echo "make container-test  lint the containers' recipes and run what they run in a new environment: minutes"
	@echo "make chaos   set up, kill a study a hundred times at random, and compare its store with an uninterrupted one"
	@echo "make docs    set up and build the documentation into docs/_build/html"
	@echo "make docs-test  run every block of code in the documentation: minutes"
	@echo "make check   set up, lint, check formatting and types"
	@echo "make format  set up and reformat the code"
	@echo "make clean   remove caches and the quick study's results (not $(VENV))"

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): some minutes, once"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

quick: $(READY)
	$(BIN)/sweep run studies/quick.yaml
	$(BIN)/sweep figures tungsten-quick.zarr
	$(BIN)/sweep report tungsten-quick.zarr
	@echo "open that page; docs/tutorial.md goes on, with '. $(BIN)/activate' first"

truncation: $(READY)
	$(BIN)/sweep run studies/truncation-snap.yaml
	$(BIN)/sweep run studies/truncation.yaml
	$(BIN)/python benchmarks/truncation.py truncation.zarr truncation-snap.zarr

# The stores of the case study, in the order of its page. What they have in common is made once.
CASE := tungsten-screw-mixed tungsten-own tungsten-lattice tungsten-edge tungsten-transfer tungsten-observations tungsten-growth \
	finnis-sinclair finnis-sinclair-growth silicon silicon-growth finnis-sinclair-small

case-study: $(READY)
	for study in $(CASE); do \
	  $(BIN)/sweep run studies/case/$$study.yaml --store case-study/$$study.zarr --artefacts case-study/artefacts || \
	  test $$? = 1 || exit 1; \
	done
	$(BIN)/sweep transfer case-study/tungsten-transfer.zarr --artefacts case-study/artefacts --sample 24
	$(BIN)/python docs/case_study.py case-study

slurm-demo: $(READY)
	folder=$$(mktemp -d /tmp/slurm-XXXX) && trap 'deployments/slurm/local-cluster.sh down '$$folder EXIT && \
	eval "$$(deployments/slurm/local-cluster.sh up $$folder)" && \
	$(BIN)/sweep run studies/quick.yaml --store tungsten-quick-slurm.zarr --cluster deployments/slurm/local-cluster.yaml

slurm-test: $(READY)
	FARFIELD_REQUIRE_SLURM=1 $(BIN)/python -m pytest tests/deployments tests/sweep/clusters $(PYTEST)

container-test: $(READY)
	$(BIN)/python -m pytest tests/deployments/test_containers.py $(PYTEST)

# Files side by side, the longest first (tests/conftest.py); more than four at once would want the memory of a server.
ALONGSIDE := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" $(ALONGSIDE) $(PYTEST)

# CHAOS_SEED=n deals the same kills again; CHAOS_WRITE=1 keeps the figures in benchmarks/results/chaos.md
chaos: $(READY)
	$(BIN)/python -m pytest -m slow tests/chaos $(PYTEST)

docs: $(READY)
	$(BIN)/python -m sphinx -q -W --keep-going docs docs/_build/html

docs-test: $(READY)
	$(BIN)/python -m pytest tests/docs $(PYTEST)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info tungsten-quick.zarr tungsten-quick.zarr.run tungsten-quick.figures tungsten-quick.html tungsten-quick-slurm.zarr tungsten-quick-slurm.zarr.run
