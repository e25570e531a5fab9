#!/usr/bin/env bash
# Measures the service when it has nothing to do: the time from its start to its first "ready",
# its resident memory after five idle seconds, and the size of the binary. Fails when one is
# beyond what is promised.
#
#   scripts/measure-idle.sh [BINARY]      default: the release build
set -euo pipefail
cd "$(dirname "$0")/.."

binary=${1:-${CARGO_TARGET_DIR:-target}/release/serinus}
max_ready_ms=100 max_resident_kib=$((30 * 1024)) max_binary_bytes=30000000

[ -x "$binary" ] || { echo "there is no $binary: run cargo build --release --package serinus" >&2; exit 1; }

folder=$(mktemp -d)
mkdir "$folder/pipelines"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
pid=
finish() {
  if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap finish EXIT

# Asks /readyz over a socket of this shell: a curl process would take longer than the answer.
is_ready() {
  { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
  printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
  local status=
  read -r status <&3 || true
  exec 3>&-
  [[ $status == *" 200 "* ]]
}

measure_start() { # sets ready_ms and pid
  local started=${EPOCHREALTIME/./}
  "$binary" serve --listen "127.0.0.1:$port" --prometheus http://127.0.0.1:9 \
    --pipelines "$folder/pipelines" --store "sqlite:$folder/serinus.db" --drain-seconds 0 >"$folder/log" 2>&1 &
  pid=$!
  until is_ready; do
    kill -0 "$pid" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    if (( ${EPOCHREALTIME/./} - started > 10000000 )); then
      echo "not ready after 10 s" >&2; cat "$folder/log" >&2; exit 1
    fi
  done
  ready_ms=$(( (${EPOCHREALTIME/./} - started + 999) / 1000 ))
}

# The first start reads the binary from the disk; the fifth is the one of a restart.
for _ in 1 2 3 4; do
  measure_start
  kill "$pid"; wait "$pid" 2>/dev/null || true
done
measure_start
sleep 5
resident_kib=$(awk '/^VmRSS:/ {print $2}' "/proc/$pid/status")
binary_bytes=$(stat -c %s "$binary")

printf 'ready after       %6d ms   (at most %d)\n' "$ready_ms" "$max_ready_ms"
printf 'resident memory   %6d KiB  (at most %d)\n' "$resident_kib" "$max_resident_kib"
printf 'binary            %6d kB   (at most %d)\n' $((binary_bytes / 1000)) $((max_binary_bytes / 1000))
(( ready_ms <= max_ready_ms && resident_kib <= max_resident_kib && binary_bytes <= max_binary_bytes ))
