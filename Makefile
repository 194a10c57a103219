# demo, test, bench and lint; each installs what it needs first.
SHELL := /bin/bash
QEMU := qemu-system-x86_64
MAYFLY := cargo mayfly

.PHONY: demo test bench fuzz mutants lint setup setup-test setup-bench

## Sets up, builds, boots, and shows everything there is to see.
demo: setup
	$(MAYFLY) demo

## Passes every test: those of the host crates, then those that boot the machine, one at a time: each wants the cores.
test: setup-test
	$(MAYFLY) build
	cargo test --workspace --exclude mayfly-tests
	cargo test --package mayfly-tests -- --test-threads=1

## Measures everything at a modest size, Linux beside it, and makes build/report.html. Takes some minutes.
bench: setup-bench
	$(MAYFLY) bench all

FUZZ_SECONDS := 600
FUZZ_TARGETS = $$(cargo +nightly fuzz list --fuzz-dir .)
## Looks for inputs that break a property, FUZZ_SECONDS for each target. Not part of CI; docs/fuzzing.md says what it needs.
fuzz:
	cd fuzz/libfuzzer && for target in $(FUZZ_TARGETS); do \
		mkdir -p corpus/$$target ../found/$$target && \
		cargo +nightly fuzz run --fuzz-dir . $$target corpus/$$target ../corpus/$$target ../found/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -artifact_prefix=../found/$$target/ || exit 1; \
	done

## Switches off one protection after another and sees that a test goes red for each. Takes a quarter of an hour.
mutants: setup-test
	cargo bench --package mayfly-tests --bench mutants --profile dev

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --manifest-path functions/json/Cargo.toml -- -D warnings

# QEMU from the distribution, if there is none; a C compiler, for the linker and functions in C.
setup:
	@if ! command -v $(QEMU) >/dev/null || ! command -v cc >/dev/null; then ./setup.sh; fi

# The same, and the programs that tests drive the machine with: HTTP clients, and tshark.
setup-test:
	@./setup.sh test

# The same as setup, and lists of packages in which apt finds the kernel of the Linux that is measured beside.
setup-bench:
	@./setup.sh bench
