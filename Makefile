# `make` or `make help` is all there is to remember.
PYTHON ?= python3

.PHONY: help install test golden lint format types bench bench-check fuzz quality ci clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+): .*## *(.*)/  make \1|\2/' | column -t -s '|'

install:  ## install for work on the sources, with all that tests need
	$(PYTHON) -m pip install -e ".[test]"

test:  ## run the tests
	pytest

golden:  ## run the tests and write tests/golden/ anew
	pytest --update-golden

lint:  ## ruff: rules and format
	ruff check .
	ruff format --check .

format:  ## bring the sources into form
	ruff check --fix .
	ruff format .

types:  ## mypy --strict
	mypy

bench:  ## how fast heads compile
	$(PYTHON) benchmarks/compile_heads.py

bench-check:  ## what became worse since benchmarks/baseline.jsonl (PEERS=interpreter)
	rm -rf build/bench-check
	$(PYTHON) -m benchmarks run --quick --peers qiskit-3 --peer-python $(or $(PEERS),$(PYTHON)) --out build/bench-check
	$(PYTHON) -m benchmarks check --out build/bench-check

fuzz:  ## random and hostile input of all kinds, CASES=100000 (docs/verification.md)
	$(PYTHON) tests/fuzzing $(or $(CASES),100000)

quality:  ## two-qubit gates beside Qiskit and pytket (QASM=folder, PEERS=interpreter)
	$(PYTHON) benchmarks/quality.py $(QASM) --peer-python $(PEERS)

ci:  ## everything, in a fresh virtual environment
	.ci/run

clean:  ## take away what tools left
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find qattn_compiler passes targets tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
