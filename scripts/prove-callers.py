#!/usr/bin/env python3
"""Runs the callers' own code against Serinus: Argo Rollouts' and Flagger's real controllers.

Each controller is a Go program of `tests/callers` with fake clients in place of a cluster, on the
examples that ship, as they are; Serinus and Prometheus are real. All scenarios run at once, each
with a Serinus and a controller of its own; what has to come of each is in `argo_scenarios.py` and
`flagger_scenarios.py`. About 8 minutes, because Argo waits as its template says. What changes at a
controller is printed; a scenario that fails says which expectation was not met.

Where there is no `go`, nothing is shown: it says so, and is no failure.

    scripts/prove-callers.py [--only argo] [--only "flagger good"] [--binary FILE]

`--binary`, or SERINUS_BIN, is `target/release/serinus` unless another is named.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import traceback

import argo_scenarios
import flagger_scenarios
import proving
from callers_world import World

SCENARIOS = {
    f"{caller} {name}": run
    for caller, scenarios in (
        ("argo", argo_scenarios.SCENARIOS),
        ("flagger", flagger_scenarios.SCENARIOS),
    )
    for name, run in scenarios.items()
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--only", action="append", help="a caller, or one of its scenarios")
    proving.binary_argument(arguments)
    options = arguments.parse_args()
    if "SERINUS_BIN" in os.environ:
        options.binary = pathlib.Path(os.environ["SERINUS_BIN"]).resolve()
    chosen = [name for name in SCENARIOS if is_chosen(name, options.only)]
    proving.require(chosen, f"no scenario is called so; there are {', '.join(SCENARIOS)}")
    if shutil.which("go") is None:
        print("The callers' own code was not run: go is not installed.")
        return
    with contextlib.ExitStack() as stack:
        folder = proving.scratch(stack)
        programs = {caller: built(caller, folder) for caller in sorted(callers_of(chosen))}
        world = World(stack, folder, options.binary, programs)
        with concurrent.futures.ThreadPoolExecutor(len(chosen)) as pool:
            unmet = dict(zip(chosen, pool.map(lambda name: run(world, name), chosen), strict=True))
    for name, sentence in unmet.items():
        print(f"{'FAILED' if sentence else 'ok':6} {name}{': ' if sentence else ''}{sentence}")
    failed = sum(bool(sentence) for sentence in unmet.values())
    sys.exit(f"{failed} of {len(chosen)} scenarios failed" if failed else 0)


def is_chosen(name, only):
    return not only or any(name == one or name.split()[0] == one for one in only)


def callers_of(names):
    return {name.split()[0] for name in names}


def built(caller, folder):
    """Builds a caller's program, one package at a time: it is big, and others use the machine."""
    print(f"building {caller}; the first time takes some minutes", flush=True)
    program = folder / caller
    environment = {"GOFLAGS": "-p=1 -buildvcs=false", "CGO_ENABLED": "0", **os.environ}
    subprocess.run(
        ["nice", "-n", "10", "go", "build", "-o", program, "."],
        cwd=proving.ROOT / "tests" / "callers" / caller,
        env=environment,
        check=True,
    )
    return program


def run(world, name):
    """Runs one scenario; returns the expectation that was not met, or nothing."""
    with contextlib.ExitStack() as stack:
        scenario = world.scenario(stack, name)
        try:
            SCENARIOS[name](scenario)
        except SystemExit as unmet:
            sentence = str(unmet).removeprefix("FAILED: ")
        except Exception:  # a thread may not die in silence
            sentence = traceback.format_exc()
        else:
            sentence = ""
        scenario.say(f"FAILED: {sentence}" if sentence else "ok")
        return sentence
    return None


if __name__ == "__main__":
    main()
