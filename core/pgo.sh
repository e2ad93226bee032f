#!/usr/bin/env bash
# Records what calls spend their time on, for the compiler to lay the release build out by: core/target/pgo/ibcf.profdata,
# to be given to it as RUSTFLAGS=-Cprofile-use=FILE. Whole calls at three levels of policy say what is hot; the simulator,
# with streams, losses and refusals, what is used at all.
set -euo pipefail
cd "$(dirname "$0")"
profdata=$(rustc --print target-libdir)/../bin/llvm-profdata
if [ ! -x "$profdata" ]; then
    echo "a profile needs llvm-profdata of this compiler: rustup component add llvm-tools" >&2
    exit 1
fi
folder=$PWD/target/pgo
rm -rf "$folder/raw"
for program in "--package ibcf-sip --example instructions" "--package ibcf-sim --bin ibcf-sim"; do
    # shellcheck disable=SC2086 # words of cargo
    RUSTFLAGS="-Cprofile-generate=$folder/raw" cargo build --locked --quiet --release --target-dir "$folder/build" $program
done
for level in L1 L2 L3; do
    "$folder/build/release/examples/instructions" "$level" 5000
done
"$folder/build/release/ibcf-sim" --seed 1 --calls 3000
"$profdata" merge --output "$folder/ibcf.profdata" "$folder/raw"
