# `make check` is what every commit passes, `make test` is all of it and runs on a bare machine.

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
NODE := $(TARGET)/release/node
# Pairs about behaviour that a later skynet dropped (`-- until:`) are not for us.
LIKE := 1.8.9
export PATH := $(PATH):$(HOME)/.cargo/bin

.NOTPARALLEL:
.PHONY: release check setup pairs loom test chaos test-long fuzz-long conformance bench mesh skynet-given

release:
	cargo build --release --locked

# Format, lints, documentation, unit tests, property tests, conventions (tests/tidy). The properties see
# the same cases each time here; `make test-long` looks for others.
check:
	cargo fmt --check
	rustfmt --check --edition 2024 fuzz/fuzz_targets/*.rs
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
	PROPTEST_RNG_SEED=1 cargo test --locked

# What the tests need and Rust does not bring.
setup:
	tests/setup.sh

# Lua behaviour: tests/lua/NAME.lua has to print NAME.out.
pairs: release
	LEVEL=$(LIKE) tests/lua/run.sh $(NODE) .

# Every interleaving of the hand-off between threads. Its own folder, as all is compiled for loom.
loom:
	RUSTFLAGS="--cfg model" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	  cargo test --locked --release --target-dir $(TARGET)/loom --test loom_mailbox

test: setup check loom pairs

# An hour or so: more cases, more rounds, and the search for bad bytes.
test-long: test
	LEAK_SERVICES=100000 cargo test --locked --release --test process leaks
	WEBSOCKET_CHURN=50000 cargo test --locked --release --test process many_connections
	IDLE_PEERS=10000 cargo test --locked --release --test process idle_connections
	BRIDGE_FAULTS=1 cargo test --locked --release --test bridge_model
	PROPTEST_CASES=20000 cargo test --locked --release --test '*_properties' --test wire --test websocket
	for round in 1 2 3 4 5; do LEVEL=$(LIKE) tests/lua/run.sh $(NODE) . || exit 1; done
	$(MAKE) fuzz-long

# The bridge between processes that are killed, cut off and held up (docs/bridge.md). Its last line says
# how it went, and so does its exit status. More players, another seed: CHAOS_PLAYERS, CHAOS_SEED.
chaos: setup
	cargo test --locked --release --test bridge_chaos --no-run
	@export CHAOS_TRANSFERS=$${CHAOS_TRANSFERS:-100000}; said=$$(mktemp); status=0; \
	  cargo test --locked --release --test bridge_chaos -- --nocapture >"$$said" 2>&1 || status=$$?; \
	  grep -v '^CHAOS transfers' "$$said"; line=$$(grep '^CHAOS transfers' "$$said"); rm -f "$$said"; \
	  echo "$${line:-CHAOS did not end}"; exit $$status

# Ten minutes a target. Needs g++.
fuzz-long:
	for target in fuzz/fuzz_targets/*.rs; do \
	  fuzz/run.sh "$$(basename "$$target" .rs)" $(or $(SECONDS),600) || exit 1; done

# The same pairs on a genuine skynet: SKYNET is its built tree.
conformance: skynet-given
	LEVEL=$(or $(LEVEL),$(shell sed -n 's/^v\([0-9.]*\).*/\1/p' "$(SKYNET)/HISTORY.md" | head -n 1)) \
	  tests/lua/run.sh "$(SKYNET)/skynet" "$(SKYNET)"

# Both on this machine, in turns: SKYNET is a built tree of a genuine skynet.
bench: skynet-given release
	benches/run.sh "$(abspath $(SKYNET))"

# What a link of the cluster takes, in meshes of up to 32 nodes on this machine.
mesh: release
	NODE=$(NODE) benches/mesh.sh

skynet-given:
	@[ -x "$(SKYNET)/skynet" ] || { \
	  echo "SKYNET=$(SKYNET) is no built skynet: make $(MAKECMDGOALS) SKYNET=/path/to/skynet" >&2; exit 1; }
