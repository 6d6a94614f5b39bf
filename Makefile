# `make quickstart` and `make test` need Python 3.11 or newer and nothing else. `make help` says more.

VENV = .venv
BIN = $(VENV)/bin

.PHONY: help quickstart test check slow bench clean

help:
	@echo "make quickstart   compare two recorded systems and write a report"
	@echo "make test         all tests but the simulations (a few minutes)"
	@echo "make check        lint, format, types, import contracts"
	@echo "make slow         simulations of the statistics (many minutes)"
	@echo "make bench        speed and memory, as ratios to plain pandas and scipy"
	@echo "make clean        remove the environment and all caches (reports stay)"

quickstart: $(VENV)/.synced
	@$(BIN)/harness run configs/quickstart.yaml

test: $(VENV)/.synced
	$(BIN)/pytest -n auto --dist loadfile -m "not slow"

check: $(VENV)/.synced
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

slow: $(VENV)/.synced
	$(BIN)/pytest -n auto -m slow

bench: $(VENV)/.synced
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(VENV)/.synced: uv.lock pyproject.toml scripts/setup.sh
	@echo "Setting up $(VENV) from uv.lock ..."
	@sh scripts/setup.sh
	@touch $@
