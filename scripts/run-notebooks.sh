#!/usr/bin/env bash
# Executes the notebooks without a browser, with the binary that the tests build too (or the one
# that SERINUS_BIN names), in a Python environment of their own under the target folder, which is
# made again when notebooks/requirements.txt changes.
#
#   scripts/run-notebooks.sh check|write [NOTEBOOK ..]
#
# check fails when a picture in docs/pictures is out of date, write replaces it. Before that ruff looks
# at all Python there, and in scripts/.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
environment=$target/notebooks
if [ -z "${SERINUS_BIN:-}" ]; then
  "${CARGO:-cargo}" build --locked --quiet --package serinus
  SERINUS_BIN=$target/debug/serinus
fi
SERINUS_BIN=$(realpath "$SERINUS_BIN")
export SERINUS_BIN

if ! cmp -s notebooks/requirements.txt "$environment/requirements.txt"; then
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "the notebooks need Python 3.11 or newer, and this is $(python3 --version)" >&2
    exit 1
  }
  python3 -m venv --clear "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check \
    --only-binary :all: --requirement notebooks/requirements.txt
  cp notebooks/requirements.txt "$environment/requirements.txt"
fi

"$environment/bin/ruff" check --quiet --no-cache notebooks scripts
"$environment/bin/ruff" format --check --quiet --no-cache notebooks scripts

# Nothing of the user's own settings, and nothing left in them.
export IPYTHONDIR=$environment/ipython JUPYTER_CONFIG_DIR=$environment/jupyter
export MPLCONFIGDIR=$environment/matplotlib MPLBACKEND=module://matplotlib_inline.backend_inline
export PYTHONDONTWRITEBYTECODE=1
"$environment/bin/python" scripts/run-notebooks.py "$@"
