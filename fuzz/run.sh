#!/bin/sh
# run.sh TARGET [SECONDS]: searches for bytes that break fuzz_targets/TARGET.rs; 600 seconds by default.
#
# libFuzzer on the stable toolchain: the flags below are what cargo-fuzz passes, less the sanitizer,
# which needs a nightly and would find nothing in codecs without `unsafe`. Needs g++.
# Inputs worth keeping go to corpus/TARGET, those that break it to artifacts/TARGET. To see one
# again: run.sh prints the program it runs; give that the file.
set -eu
name=$1
seconds=${2:-600}
cd "$(dirname "$0")"
cp ../Cargo.lock Cargo.lock # the node's own versions; cargo adds those of the fuzzer
host=$(rustc -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-target}
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1
  -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares" \
  cargo build --release --target "$host" --target-dir "$target" --bin "$name"
mkdir -p "corpus/$name" "artifacts/$name"
echo "$target/$host/release/$name" >&2
exec "$target/$host/release/$name" "corpus/$name" \
  -max_total_time="$seconds" -timeout=10 -artifact_prefix="artifacts/$name/" -print_final_stats=1
