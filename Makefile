# Everything is installed into this checkout (.venv, .tools, .cache); nothing outside it is touched.
.DEFAULT_GOAL := help
.PHONY: help install demo demo-reset test chaos fuzz fuzz-contract mutation lint format bench bench-full profile clean
RUNS ?= 200
SEED ?= 1

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

install:  ## install the pinned requirements and the three packages
	@scripts/bootstrap

demo: install  ## run the daily sync between the two emulated services and show what happened
	@scripts/demo

demo-reset:  ## forget what earlier demos left in the emulated services
	rm -rf .demo

test: install  ## run all tests
	@.venv/bin/pytest -q -n auto --dist worksteal

chaos: install  ## play RUNS=200 cases of faults, kills, edits and full disks (SEED=1); CASE=n plays one again
	@cd tests && ../.venv/bin/python -m chaos --runs $(RUNS) --seed $(SEED) $(if $(CASE),--case $(CASE))

fuzz: install  ## fuzz the tap's reader of SOAP answers (SECONDS=60)
	@scripts/fuzz $(or $(SECONDS),60)

fuzz-contract: install  ## fuzz the emulated ExpenseIn from its own OpenAPI document (EXAMPLES=200 for each operation)
	@CONTRACT_FUZZ_EXAMPLES=$(or $(EXAMPLES),200) .venv/bin/pytest -q -n auto tests/sandbox/test_contract_fuzz.py

mutation: install  ## change one thing at a time in what decides, and see whether a test notices (PART=plan for one module)
	@.venv/bin/python scripts/mutation.py $(PART)

lint: install  ## check format, rules, types, security, and known vulnerabilities of what is installed
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/bandit -q -c pyproject.toml -r tap-accountsiq target-expensein sandbox 2>.cache/bandit.log \
		|| { cat .cache/bandit.log >&2; exit 1; }
	@scripts/audit

format: install  ## format the code
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

bench:  ## measure everything beside peers and limits, in minutes
	@scripts/bootstrap bench
	@.venv/bin/python -m benchmarks --scale bench

bench-full:  ## the same with up to a million records; takes about an hour
	@scripts/bootstrap bench
	@.venv/bin/python -m benchmarks --scale bench-full

profile:  ## see where the time goes: py-spy on each hot path, into .bench
	@scripts/bootstrap bench
	@.venv/bin/python -m benchmarks.profile

clean:  ## remove everything that make has installed or written
	rm -rf .venv .tools .cache .bench .demo .chaos .meltano output .pytest_cache .mypy_cache .ruff_cache .hypothesis
