# `make run` and `make test` do everything on a fresh machine with Python 3.11+; nothing is written outside this folder
# but pip's cache (and, by `make run`, results under ~/.local/share/hpcvirt-tui).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := pyproject.toml constraints.txt
PACKAGES := core plugins tui campaigns

NODES := 4

.PHONY: run test test-system fingers cluster-qemu soak calibrate check format bench wheels clean

run: $(VENV)/installed
	@$(BIN)/hpcvirt-tui

# Quick tests. Those that need sshd or tmux are skipped, with the reason printed, where these are missing.
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 -m "not slow and not cluster and not qemu" $(PYTEST)

# What needs root, namespaces or time.
test-system: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 -m "slow or cluster or qemu" $(PYTEST)

# Nodes that really reboot, on this machine, until Ctrl-C (root; 0.8 GB of memory each): `make cluster-qemu NODES=1`.
cluster-qemu: $(VENV)/installed-dev
	$(BIN)/python -m tests.clusters.qemu $(NODES)

# Five thousand random keys.
fingers: $(VENV)/installed-dev
	HPCVIRT_PRESSES=2500 $(BIN)/python -m pytest -n 2 tests/tui/test_fingers.py $(PYTEST)

# Half an hour: 20,000 random keys on each of two screens, and the runner killed at 200 random points on the cluster of
# namespaces (root).
soak: $(VENV)/installed-dev
	HPCVIRT_PRESSES=20000 $(BIN)/python -m pytest -n 2 -s tests/tui/test_fingers.py $(PYTEST)
	HPCVIRT_REQUIRE=cluster HPCVIRT_KILLS=200 $(BIN)/python -m pytest -n 0 -s tests/clusters/faults/test_killed.py $(PYTEST)

# A quarter of an hour: how often the statistics are wrong, over simulated campaigns; writes the table into the docs.
calibrate: $(VENV)/installed-dev
	$(BIN)/python tests/bench/calibrate_stats.py --update docs/statistics.md

check: $(VENV)/installed-dev .dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd .dev && MYPYPATH=. ../$(BIN)/mypy --config-file ../pyproject.toml --cache-dir ../.mypy_cache $(PACKAGES:%=-p hpcvirt.%)
	PYTHONPATH=.dev $(BIN)/lint-imports --no-cache

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed-dev
	$(BIN)/python -m tests.bench

# Everything a cluster without internet needs, for the Python that makes it.
wheels: $(VENV)/installed
	$(BIN)/pip wheel -q -w wheels -c constraints.txt .

clean:
	rm -rf $(VENV) .dev build dist wheels *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No venv with $(PYTHON): on Debian, apt-get install python3-venv" >&2; exit 1; }

$(VENV)/installed: $(SETUP) | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: $(SETUP) | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/installed

# mypy and import-linter want to see the import names as folders.
.dev:
	mkdir -p .dev/hpcvirt
	for package in $(PACKAGES); do ln -sfn ../../$$package .dev/hpcvirt/$$package; done
