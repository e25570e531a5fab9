#!/usr/bin/env python3
"""Measures what one evaluation of an error rate costs Prometheus and Serinus, and how far it reads.

For each number of pods a side a Prometheus is filled by remote write with 20 series a pod, scraped
every 15 s. Serinus reads it through a proxy that counts the bytes and writes the queries down. It
is asked for

* a whole chunk: ten minutes of the clock, which Serinus reads with the five and a half before them,
* the next interval: 30 s more of a window whose beginning was read before.

Each is asked several times, with populations that a matcher of no effect makes new, so that nothing
is answered from memory; the figures are means of one evaluation. Milliseconds are time on the
processor, of the process alone. The counts are held against the samples that were written: it fails
when one differs.

Then, with the fewest pods, for a stage that began ten minutes ago and one of six hours: how far
back its first evaluation reads, and how far the one of the next interval.

    scripts/prove-reading-costs.py [--pods 4,40,200,400] [--repeats 5]
                                   [--binary target/release/serinus]

To compare two builds run it once with each `--binary`.
"""

import argparse
import contextlib
import functools
import gzip
import http.client
import http.server
import random
import re
import sys
import threading
import time
import urllib.parse

import proving
import remote_write

SCRAPE_SECONDS = 15
INTERVAL_SECONDS = 30
CHUNK_SECONDS = 600
# What is written before a window: more than Serinus reads of it.
BEFORE_SECONDS = 405
LAG_SECONDS = 30
ROUTES = ["cart", "items", "pay", "search"]
CODES = ["200", "201", "404", "500", "503"]
TRACKS = {"control": "stable", "canary": "canary"}
AGES = {"10 minutes": 600, "6 hours": 6 * 3600}
UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

PIPELINE = {
    "name": "costs",
    "metrics": {
        "error_rate": {
            "errors": 'http_requests_total{code=~"5.."}',
            "total": "http_requests_total",
        }
    },
    "analysis": {
        "method": "wilson",
        "interval": f"{INTERVAL_SECONDS}s",
        "lag": f"{LAG_SECONDS}s",
        "split_check": "off",
    },
    "canary_pipeline": {
        "only": {
            "traffic_percent": 50,
            "duration_minutes": 600,
            "metrics": ["error_rate < baseline * 1.2"],
        }
    },
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    proving.binary_argument(arguments)
    arguments.add_argument("--pods", default="4,40,200,400", help="of each side")
    arguments.add_argument("--repeats", type=int, default=5)
    options = arguments.parse_args()
    sizes = [int(pods) for pods in options.pods.split(",")]
    print(
        f"{'pods':>5} {'series':>7} {'evaluation':14} {'queries':>7} {'sent kB':>9} "
        f"{'plain kB':>9} {'Prometheus ms':>13} {'Serinus ms':>10} {'waited ms':>9} "
        f"{'peak MiB':>8}  counts"
    )
    broken = []
    for pods in sizes:
        broken += measure_size(options, pods)
    broken += measure_ages(options, min(sizes))
    if broken:
        sys.exit("\n".join(broken))


def measure_size(options, pods):
    """Prints a row for each kind of evaluation; returns what is wrong."""
    # All of it is old enough to be judged.
    now = int(time.time())
    start = (now - LAG_SECONDS - 60 - CHUNK_SECONDS) // CHUNK_SECONDS * CHUNK_SECONDS
    with contextlib.ExitStack() as stack:
        bench = Bench(stack, options, pods, start, start + CHUNK_SECONDS)
        middle = start + CHUNK_SECONDS // 2
        bench.evaluate(start, start + CHUNK_SECONDS)  # connections, allocators, indexes
        whole = Row("whole chunk")
        for _ in range(options.repeats):
            bench.renew()
            bench.measure(whole, start, start + CHUNK_SECONDS)
        later = Row("next interval")
        for _ in range(options.repeats):
            bench.renew()
            bench.evaluate(start, middle)
            bench.measure(later, start, middle + INTERVAL_SECONDS)
        return bench.print_row(whole) + bench.print_row(later)


def measure_ages(options, pods):
    """Prints how far back the evaluations of a young and of an old stage read."""
    oldest = max(AGES.values())
    end = (int(time.time()) - LAG_SECONDS - 120) // CHUNK_SECONDS * CHUNK_SECONDS
    # Neither the beginning nor the end of a chunk: as of most evaluations.
    end -= CHUNK_SECONDS // 2
    broken = []
    print(
        f"\n{'stage began':12} {'evaluation':14} {'queries':>7} {'plain kB':>9} {'reads back':>10}"
    )
    with contextlib.ExitStack() as stack:
        bench = Bench(stack, options, pods, end - oldest, end + INTERVAL_SECONDS)
        for name, age in AGES.items():
            bench.renew()
            for kind, until in (("first", end), ("next interval", end + INTERVAL_SECONDS)):
                row = Row(kind)
                bench.measure(row, end - age, until)
                print(
                    f"{name:12} {kind:14} {row.queries:7} {row.plain_bytes / 1000:9.0f} "
                    f"{row.reaches_back:8.0f} s{row.said()}"
                )
                broken += row.broken
    return broken


class Row:
    """What evaluations of one kind cost, in all."""

    def __init__(self, kind):
        self.kind = kind
        self.evaluations = 0
        self.queries = self.sent_bytes = self.plain_bytes = 0
        self.prometheus_seconds = self.serinus_seconds = self.waited_seconds = 0.0
        self.reaches_back = 0.0
        self.broken = []

    def said(self):
        return "".join(f"  {sentence}" for sentence in sorted(set(self.broken))) or "  right"


class Bench:
    """A Prometheus with its samples, the proxy, and Serinus."""

    def __init__(self, stack, options, pods, start, end):
        folder = proving.scratch(stack)
        self.pods = pods
        self.populations = 0
        self.samples = Samples(pods, start - BEFORE_SECONDS, end)
        arguments = ["--web.enable-remote-write-receiver"]
        self.prometheus = proving.start_prometheus(stack, folder, arguments=arguments)
        remote_write.write(self.prometheus.port, self.samples.series)
        self.proxy = Proxy(stack, self.prometheus.port)
        url = f"http://127.0.0.1:{self.proxy.port}"
        self.serinus = proving.Serinus(stack, folder, options.binary, url, {})
        self.serinus.start()

    def renew(self):
        """Populations that Serinus has not heard of, of the same pods."""
        self.populations += 1

    def evaluate(self, start, end):
        unheard = {"pod": {"!=": f"none-{self.populations}"}}
        body = {
            "pipeline": PIPELINE,
            "start": proving.timestamp(start),
            "end": proving.timestamp(end),
            **{population: {"track": track} | unheard for population, track in TRACKS.items()},
        }
        answer = self.serinus.ask("POST", "/v1/analyses", body, timeout_seconds=120)
        proving.require(answer.status == 200, f"status {answer.status}: {answer.content[:500]}")
        return answer.json()

    def measure(self, row, start, end):
        """Adds the costs of an evaluation to a row, and what is wrong with its counts."""
        self.proxy.seen.clear()
        processes = (self.prometheus, self.serinus)
        before = [process.cpu_seconds() for process in processes]
        began_at = time.monotonic()
        answer = self.evaluate(start, end)
        row.waited_seconds += time.monotonic() - began_at
        of_prometheus, of_serinus = (
            process.cpu_seconds() - seconds
            for process, seconds in zip(processes, before, strict=True)
        )
        row.evaluations += 1
        row.prometheus_seconds += of_prometheus
        row.serinus_seconds += of_serinus
        for query in self.proxy.seen:
            row.queries += 1
            row.sent_bytes += query.sent_bytes
            row.plain_bytes += query.plain_bytes
            row.reaches_back = max(row.reaches_back, end - query.earliest())
        row.broken += self.differences(answer, start, end)

    def differences(self, answer, start, end):
        """Where the counts of an answer are not those of the samples."""
        [check] = answer["checks"]
        found = []
        for population, track in TRACKS.items():
            for field, expected in self.samples.counted(track, start, end).items():
                counted = check.get(population, {}).get(field)
                if counted != expected:
                    said = f"{answer['reason_code']}: {answer['gate']['reason']}"
                    found.append(f"{population} {field} {counted}, not {expected} ({said})")
        return found

    def print_row(self, row):
        share = 1 / row.evaluations
        _, peak_mib = self.serinus.memory_mib()
        print(
            f"{self.pods:5} {self.samples.counters:7} {row.kind:14} {row.queries * share:7.1f} "
            f"{row.sent_bytes * share / 1000:9.1f} {row.plain_bytes * share / 1000:9.1f} "
            f"{row.prometheus_seconds * share * 1000:13.1f} "
            f"{row.serinus_seconds * share * 1000:10.1f} "
            f"{row.waited_seconds * share * 1000:9.1f} {peak_mib:8.1f}{row.said()}",
            flush=True,
        )
        return [f"{self.pods} pods, {row.kind}: {sentence}" for sentence in row.broken]


class Samples:
    """What the scrapes of all pods saw: each counter at the times of its pod's scrapes."""

    def __init__(self, pods, start, end):
        dice = random.Random(1)
        self.series = []  # labels, and the samples [(milliseconds, value)]
        self.counted_of = {track: [] for track in TRACKS.values()}  # code, and the samples
        for track in TRACKS.values():
            for number in range(pods):
                pod = f"checkout-{track}-6d4cf56db6-{number:05}"
                target = {
                    "instance": f"10.{number // 256}.{number % 256}.17:9090",
                    "job": "checkout",
                    "namespace": "shop",
                    "pod": pod,
                    "track": track,
                }
                # Each pod is scraped at an offset of its own.
                first = start + dice.randrange(SCRAPE_SECONDS)
                times = [
                    at * 1000 + dice.randrange(10) for at in range(first, end + 1, SCRAPE_SECONDS)
                ]
                started = [(at, start - 86400) for at in times]
                self.series.append(({"__name__": "process_start_time_seconds", **target}, started))
                for route in ROUTES:
                    for code in CODES:
                        value = dice.randrange(100_000)
                        most = 40 if code == "200" else 3
                        samples = []
                        for at in times:
                            value += dice.randrange(most)
                            samples.append((at, value))
                        labels = {"__name__": "http_requests_total", "code": code, "route": route}
                        self.series.append((labels | target, samples))
                        self.counted_of[track].append((code, samples))

    @functools.cached_property
    def counters(self):
        """How many series are counted."""
        return sum(len(series) for series in self.counted_of.values())

    def counted(self, track, start, end):
        """What the scrapes after the start, up to the end, added to those before."""
        counts = {"events": 0, "total": 0}
        for code, samples in self.counted_of[track]:
            first = max(value for at, value in samples if at <= start * 1000)
            last = max(value for at, value in samples if at <= end * 1000)
            counts["total"] += last - first
            counts["events"] += (last - first) if code.startswith("5") else 0
        return counts


class Query:
    """A question that went to Prometheus, and the size of its answer, sent and unpacked."""

    def __init__(self, form, sent_bytes, plain_bytes):
        self.form = {name: values[0] for name, values in urllib.parse.parse_qs(form).items()}
        self.sent_bytes, self.plain_bytes = sent_bytes, plain_bytes

    def earliest(self):
        """The earliest time that it reads, in seconds. An instant without a range sees a value of
        before as well, but asks for the one of then."""
        ranges = re.findall(r"\[([0-9a-z]+)(?::[0-9a-z]*)?\]", self.form.get("query", ""))
        longest = max(map(duration_seconds, ranges), default=0)
        return float(self.form.get("start") or self.form.get("time") or 0) - longest


def duration_seconds(text):
    parts = re.findall(r"(\d+)(ms|[smhdw])", text)
    return sum(int(number) * UNIT_SECONDS[unit] for number, unit in parts)


class Proxy:
    """Hands questions on to Prometheus, and writes down each query."""

    def __init__(self, stack, upstream_port):
        self.seen = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path, _, form = self.path.partition("?")
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() not in ("host", "connection", "content-length")
                }
                headers.setdefault("Accept-Encoding", "identity")
                upstream = http.client.HTTPConnection("127.0.0.1", upstream_port, timeout=120)
                upstream.request(self.command, self.path, body or None, headers)
                answer = upstream.getresponse()
                content = answer.read()
                upstream.close()
                encoding = answer.getheader("Content-Encoding", "")
                if path.startswith("/api/v1/query"):
                    plain = gzip.decompress(content) if encoding == "gzip" else content
                    form = body.decode() or form
                    seen.append(Query(form, len(content), len(plain)))
                self.send_response(answer.status)
                for name in ("Content-Type", "Content-Encoding"):
                    if answer.getheader(name):
                        self.send_header(name, answer.getheader(name))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(content)

            def do_GET(self):
                self.do_POST()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        self.port = server.server_port


if __name__ == "__main__":
    main()
