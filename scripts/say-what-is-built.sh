#!/usr/bin/env bash
# Says at once what `make demo` does before the demo is seen: cargo shows how far it is, but not what
# it is about, nor how long it takes. Measured on two cores: 5 to 10 minutes from nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=$1

if ! command -v "$cargo" >/dev/null; then
  echo "Rust is not installed: https://rustup.rs installs it, then run make demo again" >&2
  exit 1
fi
if [ -x "${CARGO_TARGET_DIR:-target}/debug/serinus" ]; then
  echo "Building what has changed since the last time, then starting the demo"
else
  echo "Building Serinus: 5 to 10 minutes the first time, seconds after that. Then the demo starts;"
  echo "it needs about a minute, and nothing else installed"
fi
