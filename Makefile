# Transfer Studio. `make run` and `make test` set up what they need; a second call finds it done.
VENV ?= .venv
EXPERIMENT ?= assets/experiments/demo.yaml
export VENV

bin = $(VENV)/bin
setup = bash tools/setup.sh

.DEFAULT_GOAL := help
.PHONY: help setup setup-test run test check format clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## */\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do printf 'make %-11s %s\n' "$$name" "$$text"; done
	@echo 'Variables: VENV=$(VENV)  PYTHON=python3.12  EXPERIMENT=$(EXPERIMENT)  SKIP_SYSTEM=1 (no look at system libraries)'
	@echo '           ARGS="-k words" (for pytest)'

setup:  ## the virtual environment, the libraries and what the system lacks
	@$(setup) run

setup-test:  ## the same with the test tools
	@$(setup) test

run: setup  ## the demo experiment in the window; without a display the same demo, headless
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then \
	    exec $(bin)/transfer-studio --experiment "$(EXPERIMENT)"; \
	else \
	    echo "No display: running the demo headless. Its picture goes to demo-screenshot.png" >&2; \
	    QT_QPA_PLATFORM=$${QT_QPA_PLATFORM:-offscreen} exec $(bin)/transfer-studio compare "$(EXPERIMENT)" \
	        --episodes 50 --seeds 0 --screenshot demo-screenshot.png; \
	fi

test: check  ## all checks, then all tests; the last line is pytest's
	@QT_QPA_PLATFORM=offscreen $(bin)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

check: setup-test  ## style, types and the layers of the packages
	@$(bin)/python -m ruff check --quiet .
	@$(bin)/python -m ruff format --check --quiet --output-format concise . || { echo '`make format` formats them.'; exit 1; }
	@$(bin)/python -m mypy
	@$(bin)/lint-imports --no-logo

format: setup-test  ## format the code and fix what ruff can fix
	@$(bin)/python -m ruff check --fix --quiet . ; $(bin)/python -m ruff format .

clean:  ## remove the virtual environment and all caches; never your runs
	@$(setup) clean
