#!/usr/bin/env bash
# Everything that is checked without running the service: format, lints, documentation, generated
# files, dependency rules. Stops at the first failure.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
say() { printf '== %s\n' "$*"; }

say "format"
"$cargo" fmt --all --check

say "lints"
"$cargo" clippy --locked --workspace --all-targets --quiet -- -D warnings

say "documentation"
RUSTDOCFLAGS="-D warnings" "$cargo" doc --locked --workspace --no-deps --quiet

say "openapi/openapi.json is what the code says"
"$cargo" run --locked --quiet --package serinus -- openapi --check

say "the analysis touches nothing"
# It decides, so it must be a pure function: no runtime, no network, no database, no server.
tree=$("$cargo" tree --locked --package serinus-analysis --edges normal --prefix none)
for banned in tokio sqlx reqwest axum hyper; do
  if grep -qE "^$banned v" <<<"$tree"; then
    echo "serinus-analysis must not depend on $banned, and does:" >&2
    "$cargo" tree --locked --package serinus-analysis --edges normal --invert "$banned" >&2
    exit 1
  fi
done

say "the fleet knows nothing of the service"
# What is asked and who asks share only the wire.
tree=$("$cargo" tree --locked --package serinus-fleet --edges normal --prefix none)
for banned in serinus serinus-openapi; do
  if grep -qE "^$banned v" <<<"$tree"; then
    echo "serinus-fleet must not depend on $banned, and does" >&2
    exit 1
  fi
done

say "the shape of the code"
scripts/check-house.py

say "what comments and documents point to"
scripts/check-sources.py

say "licences, sources and banned crates"
if "$cargo" deny --version >/dev/null 2>&1; then
  "$cargo" deny --offline --locked check --hide-inclusion-graph bans licenses sources
else
  echo "!! cargo-deny is not installed: licences, sources and banned crates are NOT CHECKED" >&2
fi
