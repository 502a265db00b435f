# make all   install what it needs into .venv and run the laptop size: figures, verdicts, report
# make demo  one figure of the race, in under three minutes once installed
# make docs  fill in README and gallery, and write the documentation into site/ (open site/index.html)
# make test  install what it needs and run lint, unit and workflow tests
# make check  lint and unit tests alone, in under three minutes
# make gpu   what the GPU of this machine does with the library (python3 must have torch with CUDA); writes card.json
# make mutants  whether unit tests notice small changes of the store, checkpoints and validation; 25 minutes
# make faults  the full campaign of faults, far longer than the tests: kills, broken disks, a SLURM that takes jobs away
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PRESET ?= laptop
# Install by hashes, too, with LOCK=cuda, or LOCK=cpu after torch's CPU build (docs/environments.md).
LOCK ?=
# Files that change the preset, as in: make all OVERLAY=my.yaml
OVERLAY ?=
# Extra options for snakemake, as in: make all ARGS="--cores 1"
ARGS ?=
WANTED_ := -r requirements.txt
WANTED_cuda := --require-hashes -r requirements-cuda.lock
WANTED_cpu := --require-hashes --no-deps -r requirements.lock
WANTED = $(or $(WANTED_$(LOCK)),$(error LOCK=$(LOCK) is not allowed; allowed: cpu or cuda))
SNAKEMAKE := $(BIN)/snakemake
CONCLUDE := $(BIN)/python scripts/conclude.py
FILES := config/$(PRESET).yaml $(OVERLAY)
SIZE := --configfile $(FILES)
export PATH := $(abspath $(BIN)):$(PATH)
# What is installed is compiled when it is first imported (below), and that is to be kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: all demo lock plan status figures report test check gpu faults mutants thorough lint format docs clean
.DEFAULT_GOAL := all

# The dry run says once what is wrong with the configuration. With a failed block, draw what can be
# drawn, with the gap marked, and still end in failure. Ctrl-C waits for Snakemake's last words.
all: $(VENV)/installed
	$(SNAKEMAKE) report $(SIZE) $(ARGS) --dry-run --quiet all
	@trap 'exit 130' INT; $(SNAKEMAKE) report $(SIZE) $(ARGS) || { \
	  echo "make all draws and decides now, with the gaps marked."; \
	  $(SNAKEMAKE) report $(SIZE) config/mark_gaps.yaml $(ARGS) && $(CONCLUDE) $(FILES); exit 1; }
	@$(CONCLUDE) $(FILES)

demo: $(VENV)/installed
	@trap 'exit 130' INT; $(SNAKEMAKE) figure_2 --configfile config/demo.yaml $(ARGS)
	@$(CONCLUDE) --race config/demo.yaml

# What to type again after a failure.
all demo figures report: export TYPED := $(strip make $(MAKECMDGOALS) $(MAKEOVERRIDES))

# What a size takes, and how far it has come (also while it runs).
plan: $(VENV)/installed
	$(SNAKEMAKE) plan $(SIZE) $(ARGS)

status: $(VENV)/installed
	$(BIN)/python scripts/status.py $(FILES)

figures: $(VENV)/installed
	$(SNAKEMAKE) figures $(SIZE) $(ARGS)

report: $(VENV)/installed
	$(SNAKEMAKE) report $(SIZE) $(ARGS)

test: $(VENV)/installed-dev lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Nothing is installed: a machine with a card has its own torch.
gpu:
	PYTHONPATH=scripts $(PYTHON) benchmarks/card.py --json card.json

faults: $(VENV)/installed-dev
	FAULTS=full OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m faults
	BYTES=1000 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/unit/test_fuzz_bytes.py

# Cosmic Ray only makes the mutants; it is kept apart, for its requirements differ from Snakemake's.
mutants: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/mutants \
	  cosmic-ray==8.7.0 parso==0.8.7
	nice -n 19 $(BIN)/python tests/mutants/mutants.py 25

# Whether each of the study's statistics tells its claim from its rivals, on 200 draws of all.
thorough: $(VENV)/installed-dev
	DRAWS=200 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/unit/test_second_edition.py

# Minutes instead of a quarter of an hour, for daily work: all but the tests that run Snakemake.
check: $(VENV)/installed-dev lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/unit

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

docs: $(VENV)/installed-dev
	$(BIN)/python docs/hooks/configuration.py
	$(BIN)/python docs/hooks/readme.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# The hashes of all files that the index has of the pinned versions; needs uv (pipx install uv).
COMPILE := uv pip compile requirements.txt --generate-hashes --quiet --no-annotate --no-emit-index-url \
  --python-version 3.11 --custom-compile-command "make lock"
lock:
	$(COMPILE) --no-deps --output-file requirements.lock
	$(COMPILE) --python-platform x86_64-manylinux_2_28 --output-file requirements-cuda.lock

clean:
	rm -rf $(VENV) .snakemake site

# Not compiled ahead: most of it is never imported, and compiling takes half of the time.
$(VENV)/installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --no-compile --quiet --disable-pip-version-check $(WANTED)
	touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(BIN)/python -m pip install --no-compile --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
