# Every target does its own set-up: a machine with Python 3.11 or later, make, git and the package registries is enough.
PYTHON := .venv/bin/python
FIND_PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do command -v $$p >/dev/null 2>&1 && { echo $$p; break; }; done)

# Tests' own processes look there first; it is of these sources, or it is not there (tools/compiled.py).
ON_MACHINE_CODE := --import-mode=append -o pythonpath=build/compiled

# Tests start thousands of processes: where none may keep what it compiled, each compiles a thousand modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install up demo test test-interpreted test-unit check check-code check-console format lock compiled machine-code test-compiled budgets bench bench-abuse bench-registry fuzz interop soak soak-mixed sbom audit clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install:  ## make .venv with the fastest Python found and install everything
	@test -n "$(FIND_PYTHON)" || { echo "error: no python3 on PATH"; echo "mend:  apt install python3 python3-venv"; exit 1; }
	@$(FIND_PYTHON) tools/environment.py

up: install  ## registry and gateway on this machine, until Ctrl-C (UP="--workers 1 ..." adds flags)
	@MESHWAY_MAKE=1 exec .venv/bin/meshway up $(UP)

demo: install  ## bookinfo beside a running `make up`
	@exec .venv/bin/meshway demo

# Where machine code can be made it is, beside the unit tests; these and the browser's run interpreted, all else on it.
test: install  ## everything that fits in a quarter of an hour on two cores
	@$(MAKE) --no-print-directory --output-sync -j2 test-interpreted machine-code
	@$(PYTHON) -m pytest -q -rR -n 4 --dist worksteal $(ON_MACHINE_CODE) --lane beside --durations=20 tests/end_to_end tests/integration
	@MESHWAY_INTERPRETED=1 $(PYTHON) -m pytest -q -rR -n 2 --dist loadfile --durations=5 tests/browser
	@$(PYTHON) -m pytest -q -rR --lane alone --durations=10 tests/end_to_end

test-interpreted:
	@$(PYTHON) -m pytest -q -rR -n 2 --dist worksteal --durations=10 tests/unit

machine-code:
	@$(PYTHON) -m tools.compiled --or-skip

test-unit: install  ## the fast part
	@$(PYTHON) -m pytest -q tests/unit

check: install  ## lint, format, types, import contracts; of the console also unit tests and sizes
	@$(MAKE) --no-print-directory --output-sync -j2 check-code check-console

check-code:
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports --no-logo

check-console:
	@$(PYTHON) -m tools.console check

format: install  ## write the format
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

compiled: install  ## the hot path as machine code, which `make up` then runs, as long as the sources stay what they are
	@$(PYTHON) -m tools.compiled

test-compiled: compiled  ## the tests of the hot path, its unit tests too, run on its machine code
	@$(PYTHON) -m pytest -q -rR -n 2 --dist worksteal $(ON_MACHINE_CODE) --hot-path compiled \
		tests/unit/gateway tests/unit/meshway/http1 tests/integration/wire tests/integration/gateway

lock: install  ## write requirements.lock anew from pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --all-extras --group test --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock

bench-registry: install  ## the registry beside etcd and ZooKeeper; writes its section of RESULTS.md (BENCH="--rounds 5 ...")
	@$(PYTHON) -m loadtest.registry $(BENCH)

bench: install  ## the gateway beside nginx, HAProxy, Envoy, Spring; writes loadtest/RESULTS.md (BENCH="--list", "--only TCP", "--quick")
	@$(PYTHON) -m loadtest.bench $(BENCH)

bench-abuse: install  ## honest callers beside 2,000 slow, never-reading and flooding ones (BENCH="--rounds 5 ...")
	@$(PYTHON) -m loadtest.abuse $(BENCH)

budgets: install  ## the console with a large mesh in a real browser; writes docs/console/budgets.md, fails beyond a budget
	@$(PYTHON) -m loadtest.console $(BENCH)

fuzz: install  ## ten minutes for every parser, and half an hour of differential fuzzing (FUZZ_S=seconds a parser)
	@$(PYTHON) -m pytest -q tests/unit -m fuzz --hypothesis-profile=long -o timeout=3600
	@MESHWAY_FUZZ_S=$(or $(FUZZ_S),600) $(PYTHON) -m pytest -q -n 2 tests/integration/parsers -o timeout=3600

interop: install  ## other people's clients in their own languages, a real ZooKeeper, sslyze; skips what the machine lacks
	@$(PYTHON) -m pytest -q -m interop -rs tests/interop -o timeout=900

soak-mixed: install  ## every protocol at once for half an hour, with reloads, kills, a revision a second (BENCH="--seconds 180")
	@$(PYTHON) -m loadtest.soak $(BENCH)

soak: install  ## the long kill and load runs (minutes each)
	@$(PYTHON) -m pytest -q -m soak -o timeout=1800

sbom: install  ## what it is made of, as CycloneDX: build/sbom.cdx.json
	@$(PYTHON) -m tools.sbom

audit: install  ## known vulnerabilities of what is pinned; says SKIPPED where nobody can be asked (AUDIT=--strict fails then)
	@$(PYTHON) -m tools.audit $(AUDIT)

clean:  ## remove what the other targets made
	@rm -rf admin_ui/node_modules admin_ui/tools/openapi/node_modules admin_ui/dist admin_ui/.node .console-build.log
	@rm -rf .venv .venv-install.log .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
