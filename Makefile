# `make` alone lists what there is. Every target that needs the environment
# makes .venv first, once. PYTHON=… chooses the interpreter for it, ARGS=… is
# handed on to the tool.
.DEFAULT_GOAL := help
RUN := .venv/bin/python
# One worker per core, at most four: each needs 2 GB. ARGS="-n 0" runs all tests in one process.
PYTEST := $(RUN) -m pytest -n auto --maxprocesses 4 --dist worksteal

# The first Python of a supported version that runs and can make environments;
# a name on PATH alone proves nothing. Otherwise any Python 3: tools/install.py
# then says what is missing.
FITS := import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))
find_python = $(shell \
  for name in python3.11 python3.12 python3.10 python3 python; do \
    $$name -c '$(FITS)' >/dev/null 2>&1 && echo $$name && exit; done; \
  for name in python3 python /usr/bin/python3; do \
    $$name -c 'import sys; sys.exit(sys.version_info[0] < 3)' >/dev/null 2>&1 \
      && echo $$name && exit; done)

.PHONY: help setup operators demo test test-slow lint docs format doctor clean distclean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

define install
python="$(or $(PYTHON),$(find_python))"; \
if [ -z "$$python" ]; then \
  echo "no Python was found; CPython 3.10, 3.11 or 3.12 is needed" >&2; exit 1; fi; \
"$$python" tools/install.py $(if $(PYTHON),--this-python)
endef

setup: ## make .venv with the whole stack (the targets below do it by themselves)
	@$(install)

operators: ## compile mmcv's own operators into .venv (needs a C++ compiler, takes long)
	@$(install) --operators

demo: setup ## train a small network with local learning and show what it gives
	@$(RUN) tools/demo.py $(ARGS)

test: setup ## run the tests, without those marked slow
	@$(PYTEST) $(ARGS)

test-slow: setup ## run the tests marked slow, too (minutes more)
	@$(PYTEST) -m 'slow or not slow' $(ARGS)

lint: setup ## ruff, mypy, and which room may import which
	@status=0; $(RUN) -m ruff check . || status=$$?; $(RUN) -m mypy || status=$$?; \
	.venv/bin/lint-imports --no-cache --no-logo || status=$$?; exit $$status

docs: setup ## build the documents as a site, build/site/index.html; broken links are errors
	@NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict $(ARGS)

format: setup ## fix what ruff can fix
	@$(RUN) -m ruff check --fix .

doctor: ## show the versions of all parts and what is broken
	@if [ -x $(RUN) ]; then $(RUN) tools/doctor.py $(ARGS); \
	else $(or $(PYTHON),$(find_python)) tools/doctor.py $(ARGS); fi

clean: ## remove caches and packaging leftovers; .venv and compiled operators stay
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis dist *.egg-info build/lib build/bdist.* build/site
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## remove .venv and build/ as well: the next call starts from nothing
	@rm -rf .venv build auglocal_mm/.mim
