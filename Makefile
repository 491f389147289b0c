# `make demo` and `make test` need only Python 3.11-3.13 and make. PIP_ARGS="" drops the pinned versions.
PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?= -c constraints.txt
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.dev-ready
FRAMEWORKS := $(VENV)-frameworks

.PHONY: help demo test test-slow test-frameworks check bench format clean
help:
	@echo "make demo [VIDEO=path QUESTION=...]  install, index a video, print cited answers"
	@echo "make test                            install and run the tests"
	@echo "make test-slow                       the long tests as well"
	@echo "make test-frameworks                 those of CrewAI and LlamaIndex, in an environment of their own"
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

# They need older versions of packages than $(VENV) has: an environment over it, whose own packages are found first.
$(FRAMEWORKS)/.ready: $(DEV_READY) .ci/constraints-frameworks.txt
	$(PYTHON) -m venv $(FRAMEWORKS)
	$(BIN)/python -c "import sysconfig as s; print('import site; site.addsitedir(%r)' % s.get_path('purelib'))" \
	    > $$($(FRAMEWORKS)/bin/python -c "import sysconfig as s; print(s.get_path('purelib'))")/over.pth
	$(BIN)/python -m pip --python $(FRAMEWORKS) install --quiet -c .ci/constraints-frameworks.txt --group frameworks
	@touch $@

demo: $(READY)
	@$(BIN)/python -m agentvid.demo $(if $(VIDEO),--video "$(VIDEO)") $(if $(QUESTION),--question "$(QUESTION)")

test: $(DEV_READY)
	$(BIN)/pytest -q -n 2 -m "not slow" $(PYTEST_ARGS)

test-slow: $(DEV_READY)
	$(BIN)/pytest -q -n 2 $(PYTEST_ARGS)

test-frameworks: $(FRAMEWORKS)/.ready
	$(FRAMEWORKS)/bin/python -m pytest -q tests/frameworks -k "llamaindex or crewai" -W ignore::DeprecationWarning

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
	rm -rf $(VENV) $(FRAMEWORKS) build dist *.egg-info .demo
