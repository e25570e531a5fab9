#!/usr/bin/env bash
# Installs from the system's packages what is missing of what the tests and notebooks need: make and
# a linker, Prometheus, VictoriaMetrics, Chromium with its driver, wrk, faketime, busybox, and Python
# with virtual environments. Does nothing when all is there.
set -euo pipefail

declare -A package_of=(
  [make]=make [cc]=build-essential
  [prometheus]=prometheus [promtool]=prometheus [victoria-metrics]=victoria-metrics
  [chromium]=chromium [chromedriver]=chromium-driver
  [wrk]=wrk [faketime]=faketime [busybox]=busybox
)

missing=()
for program in "${!package_of[@]}"; do
  command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
# Debian keeps what makes a virtual environment apart from Python.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} -eq 0 ] && exit 0
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

fail() {
  echo "cannot install what the tests need: $1" >&2
  echo "install these, then run make test again: ${missing[*]}" >&2
  exit 1
}

command -v apt-get >/dev/null || fail "this system has no apt-get"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || fail "neither root nor sudo"
  as_root=(sudo)
fi

# Debian starts the service of a package when it is installed. The tests start their own, so
# nothing may be left running: policy-rc.d forbids the start, and goes away again. One that is
# there already is somebody's own and stays.
policy=/usr/sbin/policy-rc.d
own_policy=
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  own_policy=yes
fi
remove_policy() { if [ -n "$own_policy" ]; then "${as_root[@]}" rm -f "$policy"; fi; }
trap remove_policy EXIT

echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq || fail "apt-get update failed"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || fail "apt-get install failed"
