# Every target creates the environment that it needs from Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# without it, every process that a test starts would compile the modules that it imports anew
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test check docs bench mutants clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group test --group check
	touch $@

demo: $(READY)
	rm -rf build/demo
	$(BIN)/python data/sample.py build/demo/store
	$(BIN)/dedupe scan --catalog build/demo/catalog build/demo/store
	$(BIN)/dedupe report --catalog build/demo/catalog
	$(BIN)/dedupe report --catalog build/demo/catalog --format html --output build/demo/report.html
	@echo "the report as an HTML page: build/demo/report.html"

test: $(READY)
	$(BIN)/pytest -n auto

check: $(READY)
	$(BIN)/ruff check dedupe tests data bench
	$(BIN)/ruff format --check dedupe tests data bench
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar queries

docs: $(READY)
	mkdir -p build
	$(BIN)/python data/readme.py > build/README.md && mv build/README.md README.md
	$(BIN)/python data/commands.py docs/commands
	$(BIN)/python data/manpage.py > docs/dedupe.1
	$(BIN)/python data/columns.py > docs/columns.md
	$(BIN)/python data/findings.py > build/findings.md && mv build/findings.md docs/findings.md
	$(BIN)/python data/report_schema.py > build/report.schema.json && mv build/report.schema.json docs/report.schema.json
	$(BIN)/python data/row_types.py > build/queries.py && mv build/queries.py dedupe/analysis/queries.py

# ESTATE is a folder whose oci/ and archives/ hold the same images.
bench: $(READY)
	$(BIN)/python -m pip install --quiet --group bench
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python bench/scan.py $(ESTATE)

# FILES are files of queries/ without their ending, such as relations/26_visible; all if not given.
mutants: $(READY)
	$(BIN)/python -m pip install --quiet --group mutants
	PYTHONPATH=tests:data $(BIN)/python -m mutation $(FILES)
	$(BIN)/mutmut run

clean:
	rm -rf $(VENV) build
