# Two commands for a fresh machine with Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
STRESS_ROUNDS ?= 200
S3_PORT ?= 17480

.PHONY: demo test lint types quick stress test-s3 bench lock clean

demo: $(READY)
	$(BIN)/stratakv demo $(ARGS)

test: lint types quick

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

quick: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not stress and not s3server" $(ARGS)

stress: $(READY)
	STRATAKV_STRESS_ROUNDS=$(STRESS_ROUNDS) $(BIN)/python -m pytest -n 2 -m "stress" --timeout 7200 $(ARGS)

# Ceph's gateway on loopback: Debian or Ubuntu, and root where its packages are not installed yet.
test-s3: $(READY)
	@set -eu; folder=$$(mktemp -d); \
	trap 'sh tests/servers/ceph_rgw.sh stop "$$folder"; rm -rf "$$folder"' EXIT; trap 'exit 130' INT TERM; \
	sh tests/servers/ceph_rgw.sh start "$$folder" $(S3_PORT); \
	STRATAKV_S3_ENDPOINT=http://127.0.0.1:$(S3_PORT) STRATAKV_S3_KEY=stratakv STRATAKV_S3_SECRET=of-loopback-only \
		$(BIN)/python -m pytest -m "s3server" --timeout 900 $(ARGS)

bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "stratakv needs Python 3.11 or newer; say which with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "setting up $(VENV): one to two minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

# Resolves the newest versions again; needs uv. The result names no registry.
lock:
	uv pip compile pyproject.toml --group dev --group build --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
