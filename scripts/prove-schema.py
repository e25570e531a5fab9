#!/usr/bin/env python3
"""Runs schemathesis against the running service: every operation, every check.

Serinus runs with a real Prometheus, a store and the pipelines that ship, once with tokens (asked
with one that may do everything, so that schemathesis also tries without) and once without.
schemathesis comes from PyPI into an environment of its own under the target folder. Fails when one
of its checks does.

    scripts/prove-schema.py [--examples 40] [--seed 1] [--binary target/debug/serinus]
"""

import argparse
import contextlib
import hashlib
import secrets
import subprocess
import sys
import venv

import proving

SCHEMATHESIS = "schemathesis==4.32.5"

# Every check is made on every operation. What schemathesis does not expect by itself, and why:
EXPECTED = """
# Whether a request makes sense is more than a schema can say: a pipeline is a language of its own
# within a text, a window has to end after its start and not in the future, control and canary have
# to differ, and a source or a stage has to be one that is there. Such requests are problems with
# status 400 or 422, also where their form is right.
[[operations]]
include-operation-id = ["analyse", "validate_pipeline", "start_rollout", "advance_rollout",
                        "ask_gate", "post_gate", "flagger_advance", "put_pipeline"]
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "5xx",
                                                "400", "422"]

# Flagger does nothing about another answer than 200 at the end of a rollout, and the answer says
# that nothing was closed.
[[operations]]
include-operation-id = "flagger_finished"
[operations.checks]
negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "406", "422", "428", "5xx",
                                                "200"]
"""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--examples", type=int, default=40, help="cases of each operation")
    arguments.add_argument("--seed", type=int, default=1)
    proving.binary_argument(arguments, "debug")
    options = arguments.parse_args()
    program = schemathesis(proving.built("schemathesis"))
    failed = False
    with contextlib.ExitStack() as stack:
        folder = proving.scratch(stack)
        prometheus = proving.start_prometheus(stack, folder)
        for name, token in (
            ("with tokens", f"serinus_{secrets.token_urlsafe(32)}"),
            ("open", None),
        ):
            port = start_serinus(stack, folder, options.binary, prometheus.url, token)
            print(f"== {name}", flush=True)
            failed |= run(program, options, folder, port, token) != 0
    sys.exit("schemathesis found failures" if failed else 0)


def schemathesis(environment):
    """Installs it, unless it is there; returns the program."""
    program = environment / "bin" / "schemathesis"
    stamp = environment / "installed"
    if not stamp.exists() or stamp.read_text() != SCHEMATHESIS:
        venv.create(environment, clear=True, with_pip=True)
        pip = [environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, SCHEMATHESIS], check=True)
        stamp.write_text(SCHEMATHESIS)
    return program.absolute()


def start_serinus(stack, folder, binary, prometheus_url, token):
    arguments = [
        f"--pipelines={proving.ROOT}/pipelines",
        f"--store=sqlite:{folder}/{'tokens' if token else 'open'}.db",
        "--log=warn",
    ]
    if token:
        digest = hashlib.sha256(token.encode()).hexdigest()
        tokens = folder / "tokens.yaml"
        tokens.write_text(f"- {{name: schema, sha256: {digest}, scopes: [read, gate, operate]}}\n")
        arguments.append(f"--tokens={tokens}")
    serinus = proving.Serinus(stack, folder, binary, prometheus_url, {}, arguments)
    serinus.start()
    return serinus.port


def served_document(port, token):
    """What the server says of itself: one without tokens names none."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return proving.ask(port, "GET", "/openapi.json", headers=headers).content.decode()


def run(program, options, folder, port, token):
    settings = folder / "schemathesis.toml"
    settings.write_text(EXPECTED)
    document = folder / "openapi.json"
    document.write_text(served_document(port, token))
    command = [
        program,
        f"--config-file={settings}",
        "run",
        document,
        f"--url=http://127.0.0.1:{port}",
        f"--max-examples={options.examples}",
        f"--seed={options.seed}",
        "--generation-database=none",
        "--continue-on-failure",
        "--request-timeout=30",
        "--no-color",
    ]
    if token:
        command.append(f"--header=Authorization:Bearer {token}")
    # Whatever it writes is not left behind.
    return subprocess.run([str(part) for part in command], cwd=folder, check=False).returncode


if __name__ == "__main__":
    main()
