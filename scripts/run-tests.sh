#!/usr/bin/env bash
# Runs every test: unit, property, integration and documentation tests, in the profile that the
# demo uses too, so that nothing is built twice. The tools that they need must be there
# (scripts/install-test-tools.sh).
set -euo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
# Snapshots are reviewed by people, never written by a test run.
export INSTA_UPDATE=no

# Before the builds, because it takes seconds: the examples by the schemas of those who read them.
scripts/check-examples.py

# The integration tests start the real binary, which lies beside them.
"$cargo" build --locked --package serinus

"$cargo" test --locked --workspace --doc

if "$cargo" nextest --version >/dev/null 2>&1; then
  "$cargo" nextest run --locked --workspace ${CI:+--profile ci}
else
  echo "cargo-nextest is not installed: running the tests with cargo test"
  "$cargo" test --locked --workspace --lib --bins
  # These mostly wait for scrapes and intervals, so more of them run than there are cores.
  RUST_TEST_THREADS=6 "$cargo" test --locked --workspace --test '*'
fi
