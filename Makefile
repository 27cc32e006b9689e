# `make book` and `make test` need Python 3.11 or newer, and a network once, for the packages.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SETS ?= main

help:  ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

book: .venv/installed  ## build the report into _build/html
	@$(BIN)/python book/build.py
	@echo "Open file://$(CURDIR)/_build/html/index.html"

pdf: book  ## print the report into _build/crcen-report.pdf; needs Chromium or Chrome
	$(BIN)/python book/pdf.py

bundle: .venv/installed  ## pack pages, PDF, notebooks, results and sources into one archive
	rm -rf _build  # what an incremental build leaves would make the bytes differ
	@$(MAKE) --no-print-directory pdf
	$(BIN)/python book/bundle.py

venv: .venv/installed  ## set up .venv, the environment that all else uses

test: style  ## check style and types, run the tests
	$(BIN)/pytest

style: .venv/installed  ## check style and types alone
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy crcen notebooks
	$(BIN)/mypy benchmarks
	$(BIN)/mypy book

fuzz: .venv/installed  ## call every public function with 100,000 odd inputs: an hour
	$(BIN)/python tests/fuzz.py --inputs 100000

benchmark: .venv/installed  ## compute what the record in results/ lacks of Table 3, on all cores
	$(BIN)/python -m crcen.study --n-jobs -1

ensembles: .venv/installed .venv-2019/installed  ## record RUSBoost and EasyEnsemble as of 2019
	$(BIN)/python -m crcen.study.past .venv-2019/bin/python

join: .venv/installed  ## compare a classifier of your own: make join METHOD=mine.py
	@test -n '$(METHOD)' || { echo 'name your file: make join METHOD=mine.py' >&2; exit 1; }
	$(BIN)/python -m crcen.study --join '$(METHOD)' --datasets $(SETS) --n-jobs -1
	$(BIN)/python notebooks/run.py hundred-sets method='$(METHOD)'

speed: .venv/installed  ## measure how fast training is, beside other libraries: 20 minutes
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r benchmarks/requirements.txt
	$(BIN)/python benchmarks/run.py

verify: .venv/installed  ## recompute a sample of what is recorded: ten minutes
	@$(BIN)/python notebooks/verify.py

mutants: .venv/installed  ## break the science on purpose and see which verdicts turn: 25 minutes
	$(BIN)/python notebooks/run.py --mutants

clean:  ## remove the built book; .venv and your own runs stay
	rm -rf _build book/chapters

.venv/installed: requirements.txt book/requirements.txt pyproject.toml
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo "installing the packages into .venv: a few minutes, once"
	@'$(PYTHON)' -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

.venv-2019/installed: requirements-2019.txt
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo 'the old packages need Python 3.11: make ensembles PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo "installing the old packages into .venv-2019: a minute, once"
	@'$(PYTHON)' -m venv .venv-2019
	@.venv-2019/bin/python -m pip install -q --disable-pip-version-check -r requirements-2019.txt
	@touch $@

.PHONY: help book pdf bundle venv test style fuzz benchmark ensembles join speed verify mutants clean
