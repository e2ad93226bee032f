# Everything a newcomer needs: python3 (3.11+), cargo and make. The venv is made here; nothing needs root.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := core
SEED ?= 1
CALLS ?= 10000
PGO := $(CORE)/target/pgo/ibcf.profdata
PGO_MATURIN = RUSTFLAGS=-Cprofile-use=$(abspath $(PGO)) VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin
TARGET ?= parse stream_framing border snapshot sealed_token
SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help setup build wheel demo test test-rust test-python lint types check sim fuzz bench bench-core memory instructions reload schema clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet 'maturin>=1.9.4,<2'
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

RUST := $(shell find $(CORE) -name target -prune -o \( -name '*.rs' -o -name Cargo.toml -o -name Cargo.lock \) -print 2>/dev/null)

# The compiled module is made anew when a Rust file changed; the marker is its date.
$(VENV)/.built: $(VENV)/.ready $(RUST)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --quiet
	touch $@

setup: $(VENV)/.built ## make .venv, install what the tests need, build the core

build: setup ## the same

$(PGO): core/pgo.sh $(RUST)
	core/pgo.sh

wheel: $(VENV)/.ready $(PGO) ## dist/*.whl as it ships: the compiler lays it out by a profile of calls (ten minutes)
	$(PGO_MATURIN) build --release --locked --compatibility linux --quiet --out dist

demo: setup ## two carriers, one border, four calls: what ibcf is for
	@$(BIN)/ibcf demo

test: test-rust test-python ## every test, Rust and Python

test-rust:
	cd $(CORE) && cargo test --locked --quiet

test-python: setup
	$(BIN)/python -m pytest

lint: setup ## formats, lints, types, the stub against the module
	cd $(CORE) && cargo fmt --check && cargo fmt --check --manifest-path fuzz/libfuzzer/Cargo.toml
	cd $(CORE) && cargo clippy --locked --quiet --workspace --all-targets -- -D warnings
	cd $(CORE) && RUSTDOCFLAGS='-D warnings' cargo doc --locked --quiet --no-deps
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy ibcf tests benchmarks
	$(BIN)/python -m mypy.stubtest ibcf._core

check: lint test ## all that must be green before a commit

sim: ## the simulator: make sim SEED=7 CALLS=100000
	cd $(CORE) && cargo run --locked --quiet --release -p ibcf-sim -- --seed $(SEED) --calls $(CALLS)

fuzz: ## hostile bytes for SECONDS each: make fuzz TARGET=border SECONDS=600
	@command -v cargo-fuzz >/dev/null || { echo "make fuzz needs cargo-fuzz: cargo install cargo-fuzz" >&2; exit 1; }
	@cargo +nightly --version >/dev/null 2>&1 || { echo "make fuzz needs a nightly compiler: rustup toolchain install nightly" >&2; exit 1; }
	@cd $(CORE) && set -e; for target in $(TARGET); do mkdir -p target/fuzz/$$target; echo "$$target:"; \
	  cargo +nightly fuzz run --fuzz-dir fuzz/libfuzzer --target-dir target/fuzz/build --sanitizer none $$target target/fuzz/$$target fuzz/corpus/$$target \
	  -- -max_total_time=$(SECONDS) -max_len=4096 -timeout=10 -print_final_stats=1 -artifact_prefix=target/fuzz/$$target-; done

bench: $(VENV)/.ready $(PGO) ## what a call costs, beside Kamailio and a bare forwarder (an hour); QUICK=1 takes a quarter of one
	cd $(CORE) && cargo build --locked --quiet --release -p ibcf-load
	$(PGO_MATURIN) develop --release --quiet && touch $(VENV)/.built
	$(BIN)/python -m benchmarks all $(if $(QUICK),--quick)

bench-core: ## times of the core: its stages, a call and each message of it, two workers against one
	cd $(CORE) && cargo bench --locked -p ibcf-sip
	cd $(CORE) && cargo test --locked --quiet --release -p ibcf-net --lib scaling::measure -- --ignored --nocapture

memory: CALLS := 100000
memory: ## what a ringing and an answered call cost, with 100,000 of each: make memory CALLS=100000
	cd $(CORE) && cargo run --locked --quiet --release -p ibcf-sip --example memory -- $(CALLS)

reload: setup ## how long a million prefixes take to reload, and the gap in the data path
	$(BIN)/python -m benchmarks.reload

instructions: ## what the core's path costs, held against the record; make instructions RECORD=1 writes it anew
	$(PYTHON) -m benchmarks.instructions $(if $(RECORD),--record)

schema: setup ## write again what is printed: the JSON Schemas, the page on reasons
	$(BIN)/ibcf schema > ibcf.schema.json
	$(BIN)/ibcf schema --tests > ibcf.test.schema.json
	$(BIN)/ibcf reasons --markdown > docs/reasons.md

clean: ## forget what was built
	rm -rf $(VENV) $(CORE)/target
