# `make help` lists what there is. PYTHON names the Python to use (default: python3). One that already has the
# course's packages is used as it is and nothing is installed, for machines without a network; from any other,
# .venv is made. TORCH_INDEX is an extra index for torch, for machines without a GPU:
#   make lab TORCH_INDEX=https://download.pytorch.org/whl/cpu
SHELL := /bin/bash
PYTHON ?= python3
READY := .venv/.ready
BUSY := .venv/.installing
RUN := .venv/bin/python
SETUP := $(READY)
COMMA := ,

# Asked only when somebody names a Python, so that the usual case does not pay for the question.
ifneq ($(origin PYTHON),file)
# test-gpu opens no JupyterLab, and machines with a large GPU often lack it.
LAB := $(if $(filter test-gpu,$(MAKECMDGOALS)),,"jupyterlab"$(COMMA))
HAS_PACKAGES := import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in \
  ($(LAB) "torch", "onnx", "onnxruntime", "transformers", "nbval", "jupytext")))
ifeq ($(shell $(PYTHON) -c '$(HAS_PACKAGES)' 2>/dev/null && echo yes),yes)
RUN := $(PYTHON)
SETUP :=
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))
endif
endif

FIRST_LESSON = $(firstword $(sort $(wildcard notebooks/[0-9]*.ipynb)))
ALLOW_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)
LESSON ?=
LAB_ARGS ?=

.PHONY: help setup lab test test-slow test-browser test-gpu bench lint site notebooks pristine doctor constraints clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## */:/' | awk -F: '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(SETUP)  ## make .venv and install the packages (1.6 GB; every other target does it when needed)

# The stamp is written last. A set-up that was cut short leaves the other file behind, and starts afresh.
# --no-compile: Python compiles what is used, when it is used; compiling all of it takes 350 MB.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) tools/check_python.py
	@if [ -e $(BUSY) ]; then echo "The last set-up was interrupted: starting afresh."; \
	  find .venv -mindepth 1 -maxdepth 1 ! -path $(BUSY) -exec rm -rf {} +; fi
	@mkdir -p .venv && touch $(BUSY)
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@echo "Installing the course's packages into .venv: 1.6 GB, some minutes."
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt \
	  $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable '.[dev]'
	@rm $(BUSY) && touch $(READY)

lab: $(SETUP)  ## open JupyterLab on the first lesson (LAB_ARGS="--no-browser --port 8899" are passed on)
	$(RUN) -m jupyterlab --ip=127.0.0.1 $(ALLOW_ROOT) --ServerApp.root_dir='$(CURDIR)' \
	  --LabApp.default_url=/lab$(addprefix /tree/,$(FIRST_LESSON)) $(LAB_ARGS)

test: $(SETUP)  ## lint, unit tests with coverage, every lesson compared with its stored outputs
	@$(RUN) -m tools.run_checks lint unit lessons

test-slow: $(SETUP)  ## the tests marked slow, the solved lessons, and lesson 8 (installs the extra "scale")
	@$(RUN) -m tools.run_checks slow solutions ray

test-browser: $(SETUP)  ## lessons and site in a real browser (installs the extras and, as root, Debian's chromium)
	@$(RUN) -m tools.run_checks browser

test-gpu: $(SETUP)  ## tests, lessons and figures on your GPU or GPUs, in any lane (writes docs/gpu_run.md)
	@$(RUN) -m tools.gpu_run

bench: $(SETUP)  ## measure ways to fill in masked words side by side, 15 minutes (writes benchmarks/results)
	@$(RUN) -m benchmarks

lint: $(SETUP)  ## style of code, lessons and notebooks
	@$(RUN) -m tools.run_checks lint

notebooks: $(SETUP)  ## run the lessons and store what they print (LESSON=01 for one)
	$(RUN) -m tools.notebooks execute $(LESSON)

pristine: $(SETUP)  ## give back an untouched copy of a lesson and keep yours beside it (LESSON=01)
	@$(RUN) -m tools.pristine $(LESSON)

site: $(SETUP)  ## build the lessons as plain pages in build/site (installs the extra "site")
	@$(RUN) -m tools.extras site
	@$(RUN) -m tools.site

doctor: $(SETUP)  ## say which lane this machine takes, and why not the others
	@$(RUN) -m trt_helpers

constraints: $(SETUP)  ## pin the newest release of every package (Python 3.11, minutes)
	$(RUN) -m tools.constraints

clean:  ## remove what tests and tools leave behind (not .venv)
	rm -rf .pytest_cache .ruff_cache .coverage build dist *.egg-info
	find . -name .venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -print0 | xargs -0 rm -rf
