# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo test check slow coverage mutation release-check clean docs

help:
	@echo "make demo   set up everything, then a phantom study with its report in demo/study/report.html"
	@echo "make test   set up everything, then the tests"
	@echo "make check  linters, types, import contract"
	@echo "make docs   the guide as a site in site/, links checked"
	@echo "make slow   the long tests"
	@echo "make coverage   the tests with the share of branches that they take, least 90 %"
	@echo "make mutation   the share of small faults that the tests notice, in the packages that compute"
	@echo "make release-check   wheel and sdist in empty environments, on each Python that is there"

setup: $(STAMP)

# pip, not uv or poetry: the constraint takes the CPU build of torch where pip is set up to find it.
$(STAMP): pyproject.toml constraints-cpu.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints-cpu.txt -e '.[dev]'
	@touch $(STAMP)

demo: setup
	$(BIN)/pointpet demo -o demo

# One thread a process: two test processes with a pool of threads each spend their time waiting for each other.
test: setup
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

slow: setup
	$(BIN)/python -m pytest -m slow

# Processes that tests start count too.
coverage: setup
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=
	$(BIN)/python experiments/coverage_page.py --out docs/results/coverage.md

# A sample of the faults; `experiments/mutation.py --sample 0` tries every one.
mutation: setup
	$(BIN)/python experiments/mutation.py --out docs/results/mutation.md

# Builds wheel and sdist and runs them with the base packages alone; interpreters that are not there are left out.
release-check: setup
	$(BIN)/python experiments/release_check.py --python python3.11 python3.12 python3.13

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

# --strict: a link that leads nowhere is an error.
docs: setup
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) demo .pytest_cache .ruff_cache .import_linter_cache
