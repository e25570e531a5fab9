#!/usr/bin/env python3
"""Asks for many analyses of large answers at once, and looks at the memory that they take.

A source of this script answers every question with `--series` series: a range with the instants
that are asked for, of which there are about `--samples`. It renders one series and sends it again
and again, so what is measured is Serinus. Nothing here has the same question twice: every analysis,
and every rollout, has populations of its own.

First `--analyses` are asked for at once, while `/healthz` is asked again and again; then, by
another process, as many rollouts of the same size are started and their gates polled. Fails when

* an analysis is not answered within 8 s, or a gate within 8 s when it is the first, or `/healthz`
  takes 500 ms or longer,
* more than 1,024 MiB were ever resident, or more than 250 MiB are a minute after the analyses.
  Rollouts go on being judged every two seconds on windows that grow: of theirs at most 1,280 MiB,
  and one that becomes too large to be read says so,
* nothing at all was judged, or something holds for another reason than that it waited or one of its
  data.

    scripts/prove-memory.py [--analyses 16] [--series 5000] [--samples 1000] [--history off]
                            [--figures-only] [--binary target/release/serinus]
"""

import argparse
import collections
import contextlib
import http.server
import json
import re
import sys
import threading
import time
import urllib.parse

import proving

# Short intervals, so that all of a window is one or two chunks, which are read at once.
INTERVAL_SECONDS = 2
SCRAPE_SECONDS = 1
# The step at which Serinus reads such scrapes.
STEP_SECONDS = 0.5
STARTED_SECONDS = 1_789_000_000
LOOK_EVERY_SECONDS = 0.05
# Series that the source sends at once.
SENT_AT_ONCE = 32
ANSWERED_WITHIN_SECONDS = 8
HEALTHY_WITHIN_SECONDS = 0.5
MOST_RESIDENT_MIB = 1024
# Twice the room of all answers, and what there is besides.
MOST_RESIDENT_OF_ROLLOUTS_MIB = 1280
MOST_RESIDENT_LATER_MIB = 250
PATIENCE_SECONDS = 60
# What an analysis may say: the judge's own words about the data, or that it had to wait for room or
# for this source, which shares its processors.
WAITED = {"still_collecting", "source_slow"}
FAULTS = ("HTTP ", "source_", "answer_too_large", "too_many_series", "not_", "partial_")

PIPELINE = """
name: large
metrics:
  error_rate: {{errors: 'http_requests_total{{code=~"5.."}}', total: http_requests_total}}
analysis: {{interval: {interval}s, lag: 2s, history: {history}, split_check: off}}
canary_pipeline:
  only:
    name: Only
    traffic_percent: 50
    duration_minutes: 240
    metrics: [error_rate < baseline * 1.2]
"""

CONFIGURATION = """
default_source: large
sources:
  large: {{url: "{url}", max_bytes: {max_bytes}, max_series: {series}}}
"""


def main():
    options = read_options()
    broken = []
    with contextlib.ExitStack() as stack:
        folder = proving.scratch(stack)
        url = start_source(stack, options)
        serinus = start_serinus(stack, folder, options, url)
        broken += prove(serinus, "analysis", analyses(options), options)
        serinus.stop()
        serinus = start_serinus(stack, folder, options, url)
        broken += prove(serinus, "rollout", rollouts(options), options)
    if broken and not options.figures_only:
        sys.exit("\n".join(broken))


def read_options():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--analyses", type=int, default=16)
    arguments.add_argument("--series", type=int, default=5000)
    arguments.add_argument("--samples", type=int, default=1000)
    arguments.add_argument(
        "--later-seconds", type=int, default=60, help="how long to wait at the end"
    )
    arguments.add_argument("--history", default="off", help="of the control: a duration, or off")
    arguments.add_argument(
        "--serve", action="append", default=[], help="a further argument of serinus serve"
    )
    arguments.add_argument(
        "--figures-only", action="store_true", help="say what is, and fail never"
    )
    proving.binary_argument(arguments)
    return arguments.parse_args()


def start_source(stack, options):
    """A source that answers everything, with as many series as it is told."""

    class Source(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            length = int(self.headers.get("Content-Length", 0))
            form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
            labels, samples = answer(form, options.series)
            head = b'{"status":"success","data":{"resultType":"matrix","result":['
            tail = b"]}}"
            size = sum(map(len, labels)) + len(labels) * (len(samples) + 1) - 1
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(head) + size + len(tail)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(head)
                for first in range(0, len(labels), SENT_AT_ONCE):
                    some = labels[first : first + SENT_AT_ONCE]
                    text = b",".join(label + samples for label in some)
                    self.wfile.write((b"," if first else b"") + text)
                self.wfile.write(tail)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 1024
        daemon_threads = True

        def handle_error(self, *_):
            """A client that has gone away is no news."""

    server = Server(("127.0.0.1", 0), Source)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    return f"http://127.0.0.1:{server.server_port}"


def answer(form, count):
    """The beginnings of the series, each with its labels, and the samples that all of them have."""
    query = form["query"]
    if "time" in form:
        # The heartbeats: every scrape of the range that is selected.
        newest = int(float(form["time"])) // SCRAPE_SECONDS * SCRAPE_SECONDS
        times = range(newest - range_seconds(query) + SCRAPE_SECONDS, newest + 1, SCRAPE_SECONDS)
        values = [STARTED_SECONDS] * len(times)
    else:
        start, end, step = (float(form[name]) for name in ("start", "end", "step"))
        times = [start + index * step for index in range(int((end - start) / step) + 1)]
        each = 1 if "5.." in query else 100
        values = [int(at) * each for at in times]
    texts = (f'[{at:.15g},"{value}"]' for at, value in zip(times, values, strict=True))
    samples = ('"values":[' + ",".join(texts) + "]}").encode()
    named = re.search(r'hash=~?"([^"]*)"', query)
    populations = named[1].split("|") if named else ["all"]
    labels = []
    for index in range(count):
        of_population = populations[index % len(populations)]
        metric = {
            "hash": of_population,
            "instance": f"10.{index // 62500}.{index // 250 % 250}.{index % 250}:8080",
            "pod": f"service-6d4cf56db6-{index:05}",
        }
        labels.append(f'{{"metric":{json.dumps(metric)},'.encode())
    return labels, samples


def range_seconds(query):
    """The length of the range that an instant query selects: `[1h15m30s]`."""
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    selected = re.search(r"\[([0-9a-z]+)\]", query)[1]
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([a-z])", selected))


def start_serinus(stack, folder, options, source_url):
    # What holds is the memory of all, not the size of one answer.
    max_bytes = options.series * options.samples * 64
    configuration = folder / "serinus.yaml"
    configuration.write_text(
        CONFIGURATION.format(url=source_url, max_bytes=max_bytes, series=options.series)
    )
    pipeline = PIPELINE.format(interval=INTERVAL_SECONDS, history=options.history)
    arguments = [f"--config={configuration}", "--log=error", *options.serve]
    serinus = proving.Serinus(
        stack, folder, options.binary, source_url, {"large": pipeline}, arguments
    )
    serinus.start()
    return serinus


def window(options):
    """The time that has so many samples, up to a minute ago."""
    end = int(time.time()) // 60 * 60 - 60
    return end - int(options.samples * STEP_SECONDS), end


def told(answered):
    """The reason code, or why there is none."""
    shown = answered.json()
    return shown.get("reason_code") or f"HTTP {answered.status}: {shown.get('detail')}"


def analyses(options):
    """Asks for the analysis of a number, and returns its reason code."""
    start, end = window(options)

    def ask(serinus, number):
        body = {
            "pipeline": "large",
            "control": {"hash": f"stable-{number}"},
            "canary": {"hash": f"canary-{number}"},
            "start": proving.timestamp(start),
            "end": proving.timestamp(end),
        }
        answered = serinus.ask("POST", "/v1/analyses", body, PATIENCE_SECONDS)
        return told(answered)

    return ask


def rollouts(options):
    """Starts the rollout of a number by its gate, and returns the reason code that this tells."""
    start, _ = window(options)

    def ask(serinus, number):
        query = urllib.parse.urlencode(
            {
                "key": f"r{number}",
                "control.hash": f"stable-{number}",
                "canary.hash": f"canary-{number}",
                "start": f"{proving.timestamp(start)[:19]}Z",
            }
        )
        path = f"/v1/pipelines/large/stages/only/gate?{query}"
        answered = serinus.ask("GET", path, timeout_seconds=PATIENCE_SECONDS)
        return told(answered)

    return ask


class Watch:
    """Looks at the memory, and asks whether the process is healthy, until it is told to stop."""

    def __init__(self, serinus):
        self.serinus, self.slowest_health, self.most_mib = serinus, 0.0, 0.0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=work) for work in (self.ask, self.look)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        while not self.over.wait(LOOK_EVERY_SECONDS):
            began = time.monotonic()
            with contextlib.suppress(proving.Unanswered):
                self.serinus.ask("GET", "/healthz", timeout_seconds=PATIENCE_SECONDS)
            self.slowest_health = max(self.slowest_health, time.monotonic() - began)

    def look(self):
        while not self.over.wait(LOOK_EVERY_SECONDS):
            self.most_mib = max(self.most_mib, self.serinus.memory_mib()[1])

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def prove(serinus, what, ask, options):
    """Asks for all at once, and waits; returns the promises that were broken."""
    time.sleep(3)
    idle, _ = serinus.memory_mib()
    watch = Watch(serinus)
    answers, seconds = [None] * options.analyses, [0.0] * options.analyses

    def ask_one(number):
        began = time.monotonic()
        answers[number] = ask(serinus, number)
        seconds[number] = time.monotonic() - began

    threads = [threading.Thread(target=ask_one, args=(index,)) for index in range(options.analyses)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if what == "rollout":
        # The worker judges them meanwhile.
        time.sleep(options.later_seconds)
        for number in range(options.analyses):
            ask_one(number)
    watch.stop()
    at_the_end, _ = serinus.memory_mib()
    processor = serinus.cpu_seconds()
    time.sleep(options.later_seconds)
    later, most = serinus.memory_mib()
    codes = collections.Counter(answers)
    print(
        f"""
{options.analyses} times: {what}, {options.series} series x {options.samples} samples an answer, \
history {options.history}
answered         after {min(seconds):.2f} to {max(seconds):.2f} s: {dict(codes)}
healthy          at the slowest within {watch.slowest_health * 1e3:.0f} ms
resident         {idle:.0f} MiB idle, at most {most:.0f} MiB, {at_the_end:.0f} MiB at the end, \
{later:.0f} MiB {options.later_seconds} s later
processor        {processor:.1f} s""",
        flush=True,
    )
    broken = []
    if max(seconds) > ANSWERED_WITHIN_SECONDS:
        broken.append(f"{what}: answered after {max(seconds):.1f} s")
    if watch.slowest_health >= HEALTHY_WITHIN_SECONDS:
        broken.append(f"{what}: /healthz took {watch.slowest_health:.2f} s")
    limit = MOST_RESIDENT_MIB if what == "analysis" else MOST_RESIDENT_OF_ROLLOUTS_MIB
    if most > limit:
        broken.append(f"{what}: {most:.0f} MiB were resident")
    # Rollouts are judged all the while.
    if what != "rollout" and later > MOST_RESIDENT_LATER_MIB:
        broken.append(f"{what}: {later:.0f} MiB are resident {options.later_seconds} s later")
    if None in codes or (what == "analysis" and set(codes) <= WAITED):
        broken.append(f"{what}: none was judged")
    allowed = WAITED | ({"answer_too_large"} if what == "rollout" else set())
    if any(str(code).startswith(FAULTS) for code in set(codes) - allowed):
        broken.append(f"{what}: the source is said to have failed: {dict(codes)}")
    return broken


if __name__ == "__main__":
    main()
