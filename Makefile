# `make quickstart` and `make test` need Python 3.11 or newer and nothing else. `make help` says more.

VENV = .venv
BIN = $(VENV)/bin
LOCAL_MODEL = build/local-model
TRAIN_VENV = build/train-venv
TRAIN = $(TRAIN_VENV)/bin/python

.PHONY: help quickstart test check slow bench train-local-model figures clean

help:
	@echo "make quickstart         run five techniques on this machine, compare them, write a report"
	@echo "make test               all tests but the simulations (a few minutes)"
	@echo "make check              lint, format, types, import contracts"
	@echo "make slow               simulations of the statistics (many minutes)"
	@echo "make bench              speed and memory, as ratios to plain loops, pandas and scipy"
	@echo "make figures            what the embedded model can do, measured"
	@echo "make train-local-model  train the embedded model anew (one to two hours; downloads torch)"
	@echo "make clean              remove the environment, caches and build/ (reports stay)"

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
	$(BIN)/python benchmarks/engine/run.py

figures: $(VENV)/.synced
	$(BIN)/python -m training.figures

# An environment of its own: torch is large, and nothing else needs it.
train-local-model: $(VENV)/.synced
	@PATH="$(CURDIR)/$(BIN):$$PATH" UV_PROJECT_ENVIRONMENT=$(TRAIN_VENV) \
		uv sync --frozen --quiet --no-dev --extra train
	$(TRAIN) -m training.pretrain --out $(LOCAL_MODEL)
	$(TRAIN) -m training.finetune --base $(LOCAL_MODEL) --out $(LOCAL_MODEL)/tuned.pt
	$(TRAIN) -m training.finetune --base $(LOCAL_MODEL) --out $(LOCAL_MODEL)/tuned_no_abstentions.pt \
		--without-abstentions
	$(TRAIN) -m training.export --base $(LOCAL_MODEL) --out harness/embedded/data --card training/card.json
	$(TRAIN) -m training.reference --base $(LOCAL_MODEL) --out tests/data/embedded_reference.json
	$(BIN)/python -m training.figures

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(VENV)/.synced: uv.lock pyproject.toml scripts/setup.sh
	@echo "Setting up $(VENV) from uv.lock ..."
	@sh scripts/setup.sh
	@touch $@
