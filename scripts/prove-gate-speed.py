#!/usr/bin/env python3
"""Holds `GET gate` of a known rollout against a bare axum handler that returns the same bytes.

Both are release builds on the same versions of axum and tokio, both run the whole time, and wrk
asks them in turns: first one, then the other, in every second round the other way round. The ratio
of a round is that of its requests a second; the median over the rounds counts. Fails below one
half, and when an answer is not the gate's.

    scripts/prove-gate-speed.py [--rounds 7] [--seconds 5] [--binary target/release/serinus]
"""

import argparse
import collections
import contextlib
import datetime
import http.client
import json
import re
import statistics
import subprocess
import sys

import proving

Run = collections.namedtuple("Run", "rate cpu_us")

REQUIRED_RATIO = 0.5
CONNECTIONS = (8, 32)
# A bare handler sends no more than these of its own accord.
OF_THE_SERVER = ("content-length", "date")

PIPELINE = """
name: measured
metrics:
  error_rate: {errors: 'http_requests_total{code=~"5.."}', total: http_requests_total}
analysis: {interval: 30s, lag: 15s, history: off, split_check: off}
canary_pipeline:
  only:
    name: Only
    traffic_percent: 10
    duration_minutes: 240
    metrics:
      - error_rate < baseline * 1.1
"""
PATH = "/v1/pipelines/measured/stages/only/gate?key=6d4f9.7&control.hash=5c3b8&canary.hash=6d4f9"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=int, default=5)
    proving.binary_argument(arguments)
    proving.helpers_argument(arguments)
    options = arguments.parse_args()
    with contextlib.ExitStack() as stack:
        folder = proving.scratch(stack)
        # It answers at once, so that the rollout is judged.
        source = proving.start_helper(stack, folder, options.helpers / "instant_source", "/-/ready")
        store = f"--store=sqlite:{folder}/serinus.db"
        serinus = proving.Serinus(
            stack, folder, options.binary, source.url, {"measured": PIPELINE}, [store]
        )
        serinus.start()
        began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=30)
        ask(serinus.port, f"&start={began:%Y-%m-%dT%H:%M:%SZ}")
        headers, body = ask(serinus.port)
        bare = start_bare(stack, folder, options.helpers, headers, body)
        if ask(bare.port)[1] != body:
            sys.exit("the bare handler does not answer what the gate does")
        print(f"{len(body)} bytes: {body.decode()}")
        ratios = [measure(options, serinus, bare, count) for count in CONNECTIONS]
    if min(ratios) < REQUIRED_RATIO:
        sys.exit(f"a gate answers less than {REQUIRED_RATIO:.0%} of the requests of a bare handler")


def start_bare(stack, folder, helpers, headers, body):
    lines = [f"{name}: {value}" for name, value in headers if name.lower() not in OF_THE_SERVER]
    (folder / "answer").write_bytes("\n".join([*lines, "", ""]).encode() + body)
    return proving.start_helper(stack, folder, helpers / "bare_gate", "/", folder / "answer")


def ask(port, more=""):
    """Asks once; returns the headers and the body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", PATH + more)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200 or json.loads(body)["verdict"] != "hold":
        sys.exit(f"status {answer.status} is not the expected hold: {body.decode()}")
    return answer.getheaders(), body


def measure(options, serinus, bare, connections):
    for server in (serinus, bare):
        run(server, connections, 1)
    rounds = []
    for number in range(options.rounds):
        turns = (serinus, bare) if number % 2 == 0 else (bare, serinus)
        taken = {server: run(server, connections, options.seconds) for server in turns}
        rounds.append((taken[serinus], taken[bare]))
    ratios = [gate.rate / handler.rate for gate, handler in rounds]

    def of(part, name):
        return statistics.median(getattr(one[part], name) for one in rounds)

    ratio = statistics.median(ratios)
    print(
        f"{connections:3} connections: gate {of(0, 'rate'):7.0f}/s, bare {of(1, 'rate'):7.0f}/s, "
        f"ratio {ratio:.3f} (rounds {min(ratios):.3f} to {max(ratios):.3f}); "
        f"on the processor {of(0, 'cpu_us'):.1f} and {of(1, 'cpu_us'):.1f} us a request",
        flush=True,
    )
    return ratio


def run(server, connections, seconds):
    """One run of wrk: requests a second, and the server's own time on the processor for each."""
    command = ["wrk", "--threads=2", f"--connections={connections}", f"--duration={seconds}s"]
    before = server.cpu_seconds()
    ran = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}{PATH}"],
        capture_output=True,
        text=True,
        check=True,
    )
    used = server.cpu_seconds() - before
    if "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        sys.exit(f"wrk saw errors:\n{ran.stdout}")
    rate = float(re.search(r"Requests/sec:\s*([0-9.]+)", ran.stdout)[1])
    count = int(re.search(r"(\d+) requests in", ran.stdout)[1])
    return Run(rate, used / count * 1e6)


if __name__ == "__main__":
    main()
