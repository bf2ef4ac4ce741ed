# What people and CI run. Every target says in its comment what it does; `make help` prints them.
SHELL := /bin/bash
BIN := .venv/bin
WITH_JAVA := $(BIN)/python -m orbitlake.embedded.java
# Three on two cores: a test that waits for Spark or Airflow leaves room for another.
PYTEST := $(WITH_JAVA) $(BIN)/python -m pytest -n 3 --no-loadscope-reorder
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
export PYTHONPATH := plugins
export PYTHONNOUSERSITE := 1
# Meant for other programs; PYTHON, TO, FROM and REPLAY reach the recipes through the environment, whatever signs they hold.
unexport PYTHONHOME PYTHONSTARTUP PYTHONINSPECT PYTHONUSERBASE PYTHONPLATLIBDIR
# Set in many containers: each of some hundred processes would compile anew what it imports.
unexport PYTHONDONTWRITEBYTECODE
export PYTHON TO FROM REPLAY
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long lint bench pictures prediction inspect up down kafka servers lock audit env backup restore test-compose

help:    ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' Makefile

setup:    ## the virtual environment, and Java where it may be installed; PYTHON=python3.12: of that Python
	@bash plugins/orbitlake/embedded/setup.sh

demo: setup    ## the whole pipeline once, on simulated input (REPLAY=folder: on recorded files; KEEP=1: leave it running)
	@$(BIN)/python -m orbitlake.embedded demo $(if $(REPLAY),--replay "$$REPLAY") $(if $(KEEP),--keep) $(if $(KAFKA),--kafka)

up: setup    ## start Airflow, Spark and the live upstreams; ORBITLAKE_UPSTREAM=simulator for the simulated ones; KAFKA=1: by Kafka
	@$(BIN)/python -m orbitlake.embedded up $(if $(KAFKA),--kafka)

kafka: setup    ## fetch the jars of Kafka by Maven: Spark's, and those of a broker
	@$(BIN)/python -m orbitlake.embedded.kafka

servers: setup    ## fetch what tests start servers of; what cannot be had is named
	@$(BIN)/python -m tests.servers

down: setup    ## stop what `up` or `demo` left running
	@$(BIN)/python -m orbitlake.embedded down

test: setup    ## the tests, the end-to-end one too, in about a quarter of an hour
	@$(PYTEST) -m "not long"

# The files that hold one alone: to import all the others takes each of three workers ten seconds and more.
test-long: setup    ## the tests that take long: kills, interruptions, a hostile machine, long histories
	@$(PYTEST) -m long $$(grep -rl --include='test_*.py' 'pytest\.mark\.long' tests)

lint: setup    ## ruff, formatting, strict types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/python -m mypy

bench: setup    ## measure speed beside other readers and streams, in one run (SMALL=1: only show that each works)
	@$(WITH_JAVA) $(BIN)/python -m benchmarks $(if $(SMALL),--small)

pictures: setup    ## the pictures of README and docs, of the demo that `make demo KEEP=1` left running
	@$(BIN)/python tools/pictures.py

prediction: setup    ## the tables of docs/prediction.md, from the real files of ORBITLAKE_REAL_DATA
	@$(BIN)/python -m tools.prediction

inspect: setup    ## what lies in the data root: rows, days, sizes, the newest, gaps
	@$(BIN)/python -m orbitlake.inspection

lock: setup    ## renew constraints.txt from the direct dependencies
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-annotate --no-header requirements.txt tests/requirements.txt -o constraints.txt

# Strict: a service that does not know a package, or does not answer, is no clean bill.
audit: setup    ## known vulnerabilities of the locked Python packages; asks pypi.org
	@$(BIN)/uv tool run pip-audit==2.10.1 -r constraints.txt --no-deps --disable-pip --strict

env:    ## .env of the compose deployment, with secrets of its own; in one that exists it adds the secrets that are missing
	@for python in $${PYTHON:+"$$PYTHON"} python3 python3.11 python3.12 python3.13 python; do \
	  if "$$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then exec "$$python" -I docker/make_env.py; fi; \
	done; echo "make env: no Python 3.9 or newer on the PATH: name one, as in: make env PYTHON=/path/to/python3" >&2; exit 1

backup:    ## the compose deployment's tables and metadata into a new folder: TO=folder
	@COMPOSE="$(COMPOSE)" docker/backup "$$TO"

restore:    ## a backup into an empty compose deployment, which is then started: FROM=folder
	@COMPOSE="$(COMPOSE)" docker/restore "$$FROM"

test-compose: setup    ## the compose deployment for real, losses and restore included; needs a Docker engine
	@$(BIN)/python -m pytest -m compose -rP tests/compose
