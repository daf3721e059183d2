# Every target works from a bare clone: each makes the environment first if it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEEDS ?= 3
WORKERS ?= 2

.PHONY: install demo test test-weights test-browser lint bench bench-methods bench-memory docs clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint,docs,tools]'
	touch $(STAMP)

demo: install
	$(BIN)/equimodal compare emoji --seeds $(SEEDS) --workers $(WORKERS) --out comparisons/demo
	@echo
	@echo "Open comparisons/demo/report.html in a browser."

test: install
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# Needs real weights: EQUIMODAL_WEIGHTS=folder make test-weights; see benchmarks/accuracy/data/README.md.
test-weights: install
	@test -d "$(EQUIMODAL_WEIGHTS)" || { echo "Name a folder of weights: EQUIMODAL_WEIGHTS=folder make test-weights"; exit 1; }
	$(BIN)/python -m pytest -m weights tests/weights

# Opens pages in Chromium, which is installed where apt may; axe-core is got with npm. What is not there is skipped with a reason.
AXE := $(CURDIR)/$(VENV)/axe-core/package/axe.min.js
test-browser: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	command -v chromium chromium-browser google-chrome > /dev/null || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && apt-get install -y -qq chromium; } || true
	test -f $(AXE) || { mkdir -p $(VENV)/axe-core && cd $(VENV)/axe-core && npm pack --silent axe-core@4.14.1 && tar xzf axe-core-4.14.1.tgz; } || true
	AXE=$(AXE) $(BIN)/python -m pytest tests/browser

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache

bench: install
	$(BIN)/python benchmarks/speed/epoch_cost.py

bench-methods: install
	$(BIN)/python benchmarks/speed/method_cost.py

bench-memory: install
	$(BIN)/python benchmarks/memory/peak.py

docs: install
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site .pytest_cache .ruff_cache .hypothesis
