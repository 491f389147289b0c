# `make demo` and `make test` need only Python 3.11-3.13 and make. PIP_ARGS="" drops the pinned versions.
PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?= -c constraints.txt
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.dev-ready

.PHONY: help demo test test-slow check bench format clean
help:
	@echo "make demo [VIDEO=path QUESTION=...]  install, index a video, print cited answers"
	@echo "make test                            install and run the tests"
	@echo "make test-slow                       the long tests as well"
	@echo "make check                           lint, format, types, layers, docs"
	@echo "make bench                           the speed ratios of benchmarks/"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -e ".[cpu]"
	@touch $@

$(DEV_READY): $(READY)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --group dev -e ".[cpu,openai]"
	@touch $@

demo: $(READY)
	@$(BIN)/python -m agentvid.demo $(if $(VIDEO),--video "$(VIDEO)") $(if $(QUESTION),--question "$(QUESTION)")

test: $(DEV_READY)
	$(BIN)/pytest -q -n 2 -m "not slow" $(PYTEST_ARGS)

test-slow: $(DEV_READY)
	$(BIN)/pytest -q -n 2 $(PYTEST_ARGS)

check: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy agentvid tests benchmarks
	$(BIN)/pytest -q tests/project

format: $(DEV_READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV_READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info .demo
