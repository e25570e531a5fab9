#!/usr/bin/env python3
"""Measures an analysis with eight checks against the slowest of its own queries.

Starts a Prometheus on a history of an hour (8 pods, scraped every 15 s) and the release build of
Serinus beside it. A first analysis runs through a proxy that writes its queries down. Then each
round asks Serinus for an analysis, and asks Prometheus the very same queries, all at once, from a
bare client. Every round moves the window, so that nothing is answered from memory. Fails when the
median analysis takes more than 10 % and more than 3 ms longer than the median slowest query.

    scripts/measure-analysis.py [--rounds 40] [--binary target/release/serinus]
"""

import argparse
import contextlib
import functools
import http.client
import http.server
import json
import math
import random
import selectors
import socket
import statistics
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import proving

SCRAPE_SECONDS = 15
HISTORY_SECONDS = 3600
PODS_PER_TRACK = 4
BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, math.inf]
WINDOW_SECONDS = 1800
INTERVAL_SECONDS = 30

PIPELINE = """
name: measured
metrics:
  error_rate: {errors: 'http_requests_total{code=~"5.."}', total: http_requests_total}
  not_found: {errors: 'http_requests_total{code="404"}', total: http_requests_total}
  latency_p50: {quantile: 0.5, histogram: http_request_duration_seconds}
  latency_p99: {quantile: 0.99, histogram: http_request_duration_seconds}
  cpu_usage: {gauge: 'rate(process_cpu_seconds_total[1m])'}
  memory_usage: {gauge: process_resident_memory_bytes}
analysis: {method: wilson, interval: 30s, lag: 15s}
canary_pipeline:
  only:
    name: Only
    traffic_percent: 10
    duration_minutes: 30
    metrics:
      - error_rate < 5%
      - error_rate < baseline * 1.5
      - not_found < baseline * 1.5
      - latency_p50 < baseline * 1.2
      - latency_p99 < 2s
      - latency_p99 < baseline * 1.2
      - cpu_usage < 0.9
      - memory_usage < baseline * 1.3
"""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=40)
    proving.binary_argument(arguments)
    options = arguments.parse_args()
    with contextlib.ExitStack() as stack:
        folder = proving.scratch(stack)
        end = int(time.time()) // 60 * 60 - 120
        prometheus_port = proving.start_prometheus(stack, folder, history=history(end)).port
        proxy_port, recorded = start_proxy(stack, prometheus_port)

        first_end = end - 600
        through_proxy = start_serinus(stack, folder, options.binary, proxy_port)
        answer, _ = analyse(through_proxy, first_end)
        verdict, checks = answer["verdict"], len(answer["checks"])
        print(
            f"{checks} checks, {len(recorded)} queries, "
            f"verdict {verdict}: {answer['gate']['reason']}"
        )
        if not recorded or checks != 8:
            sys.exit(f"expected 8 checks from queries, got: {json.dumps(answer)[:2000]}")

        direct = start_serinus(stack, folder, options.binary, prometheus_port)
        analyses, slowest, alone = [], [], []
        for number in range(options.rounds):
            shift = (number % 19 + 1) * INTERVAL_SECONDS
            requests = [moved(query, shift) for query in recorded]
            slowest.append(max(ask_all(prometheus_port, requests)))
            _, seconds = analyse(direct, first_end + shift)
            analyses.append(seconds)
            alone.append(max(ask_all(prometheus_port, [query])[0] for query in requests))
        report(analyses, slowest, alone)


def report(analyses, slowest, alone):
    analysis_ms = statistics.median(analyses) * 1000
    slowest_ms = statistics.median(slowest) * 1000
    allowed_ms = max(slowest_ms * 1.1, slowest_ms + 3)
    print(f"slowest query, alone            {statistics.median(alone) * 1000:8.2f} ms")
    print(f"slowest query, all at once      {slowest_ms:8.2f} ms")
    print(f"whole analysis                  {analysis_ms:8.2f} ms   (at most {allowed_ms:.2f})")
    print(f"ratio                           {analysis_ms / slowest_ms:8.3f}")
    sys.exit(0 if analysis_ms <= allowed_ms else 1)


def history(end):
    """An hour of two tracks, in the OpenMetrics format: each family's samples together."""
    dice = random.Random(1)
    times = range(end - HISTORY_SECONDS, end + 1, SCRAPE_SECONDS)
    families = {
        "http_requests": ("counter", []),
        "http_request_duration_seconds": ("histogram", []),
        "process_cpu_seconds": ("counter", []),
        "process_resident_memory_bytes": ("gauge", []),
        "process_start_time_seconds": ("gauge", []),
    }
    for track in ("stable", "canary"):
        for pod in range(PODS_PER_TRACK):
            target = (
                f'instance="10.0.0.{pod}:80",job="measured",pod="{track}-{pod}",track="{track}"'
            )
            codes = dict.fromkeys(("200", "404", "500"), 0)
            buckets, total_seconds, cpu = [0] * len(BUCKETS), 0.0, 0.0
            for at in times:
                for _ in range(60):
                    drawn, seconds = dice.random(), dice.expovariate(20)
                    codes["500" if drawn < 0.01 else "404" if drawn < 0.03 else "200"] += 1
                    total_seconds += seconds
                    for index, bound in enumerate(BUCKETS):
                        buckets[index] += seconds <= bound
                cpu += dice.uniform(2, 5)
                add = functools.partial(add_sample, families, at)
                for code, count in codes.items():
                    add("http_requests", f'http_requests_total{{code="{code}",{target}}} {count}')
                name = "http_request_duration_seconds"
                for bound, count in zip(BUCKETS, buckets, strict=True):
                    le = "+Inf" if bound == math.inf else repr(bound)
                    add(name, f'{name}_bucket{{le="{le}",{target}}} {count}')
                add(name, f"{name}_count{{{target}}} {buckets[-1]}")
                add(name, f"{name}_sum{{{target}}} {total_seconds}")
                add("process_cpu_seconds", f"process_cpu_seconds_total{{{target}}} {cpu}")
                memory = 2e8 + dice.uniform(0, 1e7)
                add(
                    "process_resident_memory_bytes",
                    f"process_resident_memory_bytes{{{target}}} {memory}",
                )
                add(
                    "process_start_time_seconds",
                    f"process_start_time_seconds{{{target}}} {times[0] - 86400}",
                )
    lines = []
    for family, (kind, samples) in families.items():
        lines.append(f"# TYPE {family} {kind}")
        lines.extend(samples)
    return "\n".join([*lines, "# EOF", ""])


def add_sample(families, at, family, line):
    families[family][1].append(f"{line} {at}")


def start_proxy(stack, upstream_port):
    """A proxy to Prometheus that writes down each query: its path and its form."""
    recorded = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            recorded.append((self.path, body.decode()))
            self.forward(body)

        def do_GET(self):
            path, _, form = self.path.partition("?")
            if path.startswith("/api/v1/query"):
                recorded.append((path, form))
            self.forward(None)

        def forward(self, body):
            url = f"http://127.0.0.1:{upstream_port}{self.path}"
            headers = {"Content-Type": self.headers.get("Content-Type", "")}
            try:
                with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
                    status, text = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                status, text = error.code, error.read()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    return server.server_port, recorded


def start_serinus(stack, folder, binary, prometheus_port):
    """Starts it, and returns a connection to it that is kept."""
    url = f"http://127.0.0.1:{prometheus_port}"
    serinus = proving.Serinus(stack, folder, binary, url, {"measured": PIPELINE})
    serinus.start()
    connection = http.client.HTTPConnection("127.0.0.1", serinus.port, timeout=30)
    stack.callback(connection.close)
    return connection


def analyse(connection, end):
    """Asks for an analysis that ends then; returns the answer and the seconds it took."""
    body = json.dumps(
        {
            "pipeline": "measured",
            "control": {"track": "stable"},
            "canary": {"track": "canary"},
            "start": proving.timestamp(end - WINDOW_SECONDS),
            "end": proving.timestamp(end),
        }
    )
    started = time.perf_counter()
    connection.request("POST", "/v1/analyses", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    seconds = time.perf_counter() - started
    if answer.status != 200:
        sys.exit(f"status {answer.status}: {text.decode()}")
    return json.loads(text), seconds


def moved(query, seconds):
    """The same query, evaluated that much later."""
    path, form = query
    fields = urllib.parse.parse_qsl(form)
    later = [
        (name, repr(float(value) + seconds) if name in ("start", "end", "time") else value)
        for name, value in fields
    ]
    return path, urllib.parse.urlencode(later)


def ask_all(port, queries):
    """Asks all queries at once, each on a connection of its own, and returns the seconds that
    each took until the last byte was read. One thread and plain sockets: as little as can be."""
    selector = selectors.DefaultSelector()
    taken = []
    for path, form in queries:
        connection = socket.create_connection(("127.0.0.1", port))
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(form)}\r\n\r\n"
        )
        started = time.perf_counter()
        connection.sendall((head + form).encode())
        selector.register(connection, selectors.EVENT_READ, started)
    while selector.get_map():
        for key, _ in selector.select():
            if not key.fileobj.recv(1 << 18):
                taken.append(time.perf_counter() - key.data)
                selector.unregister(key.fileobj)
                key.fileobj.close()
    return taken


if __name__ == "__main__":
    main()
