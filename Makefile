# Two commands do it all on a fresh machine: `make demo` and `make test`. Both build .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup native clang sanitize demo demo-text test matrix browser lint format docs bench planted killed clean help

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(STAMP) ## build .venv with everything CI uses, and the native engine where there is a C++ compiler
	@$(MAKE) --no-print-directory native || { echo "The native engine was not built; all else works without it."; \
	  test -z "$$SPEEDWELL_REQUIRE_NATIVE"; }

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt --build-constraint constraints.txt -e ".[dev]"
	touch $@

# Only what changed is compiled; the module is laid beside its Python files, where an editable installation finds it.
native: $(STAMP) ## compile the native engine (csrc) into src/speedwell/native
	@test -f build/native/build.ninja || PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cmake --fresh -S . -B build/native -G Ninja \
	  -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" -DSPEEDWELL_WERROR="$${SPEEDWELL_WERROR:-OFF}" \
	  -DCMAKE_INSTALL_MESSAGE=LAZY
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cmake --build build/native
	@$(BIN)/cmake --install build/native --prefix src --strip

clang: $(STAMP) ## compile it with clang too, into build/clang: a warning is an error there
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cmake -S . -B build/clang -G Ninja -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" \
	  -DCMAKE_CXX_COMPILER=clang++ -DSPEEDWELL_WERROR=ON
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cmake --build build/clang

sanitize: setup ## the native engine under ASan and UBSan: its tests, and what it leaks
	PYTHON=$(BIN)/python csrc/sanitize.sh

demo: setup ## the main job on real images: train a small network, make it faster, prove it
	$(BIN)/speedwell demo

demo-text: setup ## the same on texts
	$(BIN)/speedwell demo text

test: setup ## the tests a developer runs (about 11 minutes on two cores)
	$(BIN)/python -m pytest -m "not slow and not browser"

matrix: setup ## what is too slow for every day: full simulations, every engine and pass on real networks
	$(BIN)/python -m pytest -m "slow and not browser" --timeout 1200

browser: setup ## the report in headless Chromium (needs Debian's chromium or a CHROMIUM variable)
	$(BIN)/python -m pytest -m browser

lint: setup ## ruff and mypy
	$(BIN)/ruff format --check src csrc tests benchmarks examples
	$(BIN)/ruff check src csrc tests benchmarks examples
	$(BIN)/mypy

format: setup
	$(BIN)/ruff format src csrc tests benchmarks examples
	$(BIN)/ruff check --fix src csrc tests benchmarks examples

docs: setup ## run every code block of README and docs
	$(BIN)/python -m pytest tests/test_docs.py -m "slow or not slow"

bench: setup ## every benchmark, quick form
	$(BIN)/python benchmarks/startup.py --quick
	$(BIN)/python benchmarks/product.py --quick

planted: setup ## 200 planted models through the command line (F7; about half an hour)
	$(BIN)/python benchmarks/planted.py

killed: setup ## kill -9 at 20 random points, resume (D1)
	$(BIN)/python benchmarks/killed.py

clean: ## remove what was built
	rm -f src/speedwell/native/_engine.*
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-out
