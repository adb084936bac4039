# make up: serve it. make test: check it. make format: set imports and templates in order. make bench: measure it.
# make mutation: break it on purpose, and see the tests notice. make pictures: renew docs/pictures. make lock: renew the lock files.
# make schema: after a new migration, renew what empty databases are made of.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes

.PHONY: up test format bench mutation pictures schema lock clean

up: $(VENV)/.app
	@exec $(BIN)/python manage.py up --end-with-parent

test: $(VENV)/.test
	@exec sh tests/run.sh

format: $(VENV)/.test
	$(BIN)/ruff check --quiet --select I --fix .
	$(BIN)/djangofmt templates gs2admin/api/templates

bench: $(VENV)/.bench
	@exec $(BIN)/python -m bench

pictures: $(VENV)/.test
	@$(BIN)/python -m bench.rooms
	@exec $(BIN)/python -m bench.pictures

schema: $(VENV)/.test
	@exec $(BIN)/python -m tests.upgrade.prepared

mutation: $(VENV)/.mutation
	@exec $(BIN)/python -m bench.mutation

lock: $(VENV)/.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/app.in -o requirements/app.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/test.in -c requirements/app.txt -o requirements/test.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/bench.in -c requirements/test.txt -o requirements/bench.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/mutation.in -c requirements/test.txt -o requirements/mutation.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/s3.in -c requirements/app.txt -o requirements/s3.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/kubernetes.in -c requirements/s3.txt -o requirements/kubernetes.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/lock.in -o requirements/lock.txt

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "gs2admin needs Python 3.11; say which with: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.app: requirements/app.txt | $(BIN)/python
	@echo "Installing what the server needs (once) ..."
	@$(PIP_INSTALL) -r requirements/app.txt
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.app
	@echo "Installing what the tests need (once) ..."
	@$(PIP_INSTALL) -r requirements/test.txt
	@touch $@

$(VENV)/.bench: requirements/bench.txt bench/peers/node/package-lock.json $(VENV)/.test
	@echo "Installing what is measured against (once) ..."
	@$(PIP_INSTALL) -r requirements/bench.txt
	@if command -v npm > /dev/null; then cd bench/peers/node && npm ci --silent --no-audit --no-fund; else echo "Without Node.js graphile-worker is left out."; fi
	@touch $@

$(VENV)/.mutation: requirements/mutation.txt $(VENV)/.test
	@echo "Installing what breaks the code on purpose (once) ..."
	@$(PIP_INSTALL) -r requirements/mutation.txt
	@touch $@

$(VENV)/.lock: requirements/lock.txt | $(BIN)/python
	@$(PIP_INSTALL) -r requirements/lock.txt
	@touch $@

clean:
	rm -rf $(VENV)
