"""Executes the notebooks, one after the other, each from its first cell to its last.

    python scripts/run-notebooks.py check|write [NOTEBOOK ..]

Fails when a cell fails, when a picture in docs/pictures is not what its notebook draws (`check`;
`write` replaces it instead), or when a notebook is stored with outputs. Runs in the environment
that scripts/run-notebooks.sh makes. Nothing is written into the notebooks.
"""

import os
import pathlib
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = pathlib.Path(__file__).resolve().parent.parent
CELL_TIMEOUT_SECONDS = 150


def execute(path):
    """Returns whether a notebook runs to its end."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    if any(cell.get("outputs") for cell in notebook.cells):
        print(f"{path.name}: stored with outputs: clear them", file=sys.stderr)
        return False
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_SECONDS,
        kernel_name="python3",
        # It warns of its own sockets, which are those of this machine alone.
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    started = time.monotonic()
    try:
        client.execute()
    except (CellExecutionError, TimeoutError, RuntimeError) as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        return False
    finally:
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                if output.output_type == "stream":
                    print(output.text, end="")
    print(f"{path.name}: {time.monotonic() - started:.0f} s\n", flush=True)
    return True


def main():
    mode, *named = sys.argv[1:]
    if mode not in ("check", "write"):
        sys.exit(f"unknown mode {mode!r}: say check or write")
    os.environ["SERINUS_PICTURES"] = mode
    paths = [pathlib.Path(name) for name in named] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    failed = [path.name for path in paths if not execute(path.resolve())]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
