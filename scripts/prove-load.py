#!/usr/bin/env python3
"""Runs many open rollouts with four checks each, and polls their gates meanwhile.

The source answers at once (tests/src/bin/instant_source.rs), so what is measured is Serinus. Every
rollout has a canary of its own and one of `--controls` pipelines, each with a control of its own;
nothing is ever decided about them. Once all are started, each is polled every ten seconds, on
kept connections by a client process of its own, for `--seconds`. Fails when

* a rollout is not judged in every interval of 30 s, by the times in /metrics (a judgement may come
  up to `SLACK_SECONDS` later than 30 s after the one before) or by the windows that a sample of
  them shows,
* the 99th percentile of the polls reaches 50 ms, or a poll is answered by anything but `hold`,
* more than 150 MiB were ever resident.

    scripts/prove-load.py [--rollouts 1000] [--controls 50] [--age-minutes 0] [--history 24h]
                          [--seconds 180] [--figures-only] [--binary target/release/serinus]
"""

import argparse
import contextlib
import datetime
import itertools
import json
import re
import subprocess
import sys
import time

import proving

INTERVAL_SECONDS = 30
LAG_SECONDS = 15
POLL_EVERY_SECONDS = 10
SCRAPE_EVERY_SECONDS = 10
SLACK_SECONDS = 5
MOST_P99_MS = 50
MOST_RESIDENT_MIB = 150
SAMPLED = 20

PIPELINE = """
name: load_{number}
control: {{hash: stable-{number}}}
metrics:
  error_rate: {{errors: 'http_requests_total{{code=~"5.."}}', total: http_requests_total}}
  latency_p99: {{quantile: 0.99, histogram: http_request_duration_seconds}}
  memory_usage: {{gauge: process_resident_memory_bytes}}
analysis: {{interval: {interval}s, lag: {lag}s, history: {history}, split_check: off}}
canary_pipeline:
  only:
    name: Only
    traffic_percent: 50
    duration_minutes: 1440
    metrics:
      - error_rate < baseline * 1.1
      - error_rate < 5%
      - latency_p99 < baseline * 1.2
      - memory_usage < baseline * 1.3
"""


def main():
    options = read_options()
    with contextlib.ExitStack() as stack:
        folder = proving.scratch(stack)
        source = proving.start_helper(stack, folder, options.helpers / "instant_source", "/-/ready")
        serinus = start_serinus(stack, folder, options, source.url)
        port = serinus.port
        print(f"serinus is process {serinus.running.pid}", flush=True)

        began = time.monotonic()
        started = poll(options, folder, gates(options, port, is_first=True), 0, 32)
        print(f"{options.rollouts} started in {time.monotonic() - began:.1f} s: {started}")
        wait_until_judged(options, port)
        rss, peak = serinus.memory_mib()
        print(
            f"all judged after {time.monotonic() - began:.1f} s, {rss:.0f} MiB resident, "
            f"at most {peak:.0f} so far",
            flush=True,
        )

        before = Figures(serinus, source)
        watch = Watch(port, options.rollouts)
        watching = subprocess.Popen(
            poll_command(options, folder, gates(options, port), options.seconds, 512),
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(watching.wait)
        while watching.poll() is None:
            watch.look()
            time.sleep(SCRAPE_EVERY_SECONDS)
        polled = json.loads(watching.stdout.read())
        after = Figures(serinus, source)
        broken = report(options, before, after, watch, polled)
    if broken and not options.figures_only:
        sys.exit("\n".join(broken))


def read_options():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rollouts", type=int, default=1000)
    arguments.add_argument(
        "--controls", type=int, default=50, help="pipelines, each with its control"
    )
    arguments.add_argument(
        "--age-minutes", type=int, default=0, help="how long ago the stages began"
    )
    arguments.add_argument("--history", default="24h", help="of the control: a duration, or off")
    arguments.add_argument("--seconds", type=int, default=180)
    arguments.add_argument("--wait-seconds", type=int, default=300, help="longest time to start")
    arguments.add_argument(
        "--figures-only", action="store_true", help="say what is, and fail never"
    )
    proving.binary_argument(arguments)
    proving.helpers_argument(arguments)
    return arguments.parse_args()


def start_serinus(stack, folder, options, source_url):
    pipelines = {
        f"load_{number}": PIPELINE.format(
            number=number, interval=INTERVAL_SECONDS, lag=LAG_SECONDS, history=options.history
        )
        for number in range(options.controls)
    }
    # A line for each start is a part of what is measured, but nobody reads it here.
    arguments = [f"--store=sqlite:{folder}/serinus.db", "--log=warn"]
    serinus = proving.Serinus(stack, folder, options.binary, source_url, pipelines, arguments)
    serinus.start()
    return serinus


def gates(options, port, is_first=False):
    """The URLs of the gates; that of the first call says when the stage began."""
    start_text = ""
    if is_first and options.age_minutes:
        began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(
            minutes=options.age_minutes
        )
        start_text = f"&start={began:%Y-%m-%dT%H:%M:%SZ}"
    return [
        f"http://127.0.0.1:{port}/v1/pipelines/load_{number % options.controls}/stages/only/gate"
        f"?key=r{number}&canary.hash=canary-{number}{start_text}"
        for number in range(options.rollouts)
    ]


def poll_command(options, folder, urls, seconds, at_once):
    name = folder / f"urls-{seconds}"
    name.write_text("\n".join(urls) + "\n")
    command = [f"{options.helpers}/poll_gates", seconds, POLL_EVERY_SECONDS, at_once, name]
    return [str(part) for part in command]


def poll(options, folder, urls, seconds, at_once):
    command = poll_command(options, folder, urls, seconds, at_once)
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout)


def get(port, path):
    answer = proving.ask(port, "GET", path, timeout_seconds=30)
    text = answer.content.decode()
    if answer.status != 200:
        sys.exit(f"GET {path}: status {answer.status}: {text[:1000]}")
    return text


EVALUATED = re.compile(r'serinus_evaluated_timestamp_seconds\{.*key="([^"]+)"\} ([0-9.e+]+)')


def evaluated(port):
    """When each rollout was last judged, by its key."""
    return {key: float(at) for key, at in EVALUATED.findall(get(port, "/metrics"))}


def wait_until_judged(options, port):
    """Waits until the start is over: each was judged again after all were started, when each
    has its place in the interval. One that has only just started has no interval yet, so that takes
    a while."""
    deadline = time.monotonic() + options.wait_seconds
    first = {}
    while True:
        listed = evaluated(port)
        if not first and len(listed) == options.rollouts:
            first = listed
        oldest = time.time() - min(listed.values(), default=0)
        is_whole = first and all(at > first[key] for key, at in listed.items())
        if is_whole and oldest < INTERVAL_SECONDS + SLACK_SECONDS:
            return
        if time.monotonic() > deadline:
            break
        time.sleep(2)
    told = (
        f"not every one of {options.rollouts} rollouts was judged in time after "
        f"{options.wait_seconds} s: {len(listed)} are known, the oldest judgement is "
        f"{oldest:.0f} s old"
    )
    if not options.figures_only:
        sys.exit(told)
    print(told, flush=True)


class Watch:
    """When each rollout was judged, and what windows a sample of them shows."""

    def __init__(self, port, rollouts):
        self.port = port
        self.times = {}
        self.oldest_window_seconds = 0.0
        listed = json.loads(get(port, f"/v1/rollouts?limit={min(SAMPLED, rollouts)}"))
        self.sample = [one["rollout"] for one in listed["rollouts"]]

    def look(self):
        for key, at in evaluated(self.port).items():
            self.times.setdefault(key, set()).add(at)
        for rollout in self.sample:
            shown = json.loads(get(self.port, f"/v1/rollouts/{rollout}"))
            end = datetime.datetime.fromisoformat(shown["analysis"]["window"]["end"])
            age = time.time() - end.timestamp()
            self.oldest_window_seconds = max(self.oldest_window_seconds, age)

    def gaps(self):
        """The seconds between two judgements, of all rollouts, sorted."""
        found = []
        for times in self.times.values():
            inorder = sorted(times)
            found += [later - earlier for earlier, later in itertools.pairwise(inorder)]
        return sorted(found)


class Figures:
    """What was used so far."""

    def __init__(self, serinus, source):
        self.at = time.monotonic()
        self.cpu = serinus.cpu_seconds()
        self.source_cpu = source.cpu_seconds()
        self.resident, self.peak = serinus.memory_mib()
        self.asked = json.loads(get(source.port, "/asked"))
        text = get(serinus.port, "/metrics")
        name = "serinus_evaluation_lag_seconds"
        self.lag_sum = float(re.search(rf"^{name}_sum ([0-9.e+-]+)", text, re.M)[1])
        self.lags = {
            float(bound): int(count)
            for bound, count in re.findall(rf'^{name}_bucket\{{le="([^"]+)"\}} (\d+)', text, re.M)
        }

    @property
    def evaluations(self):
        return self.lags[float("inf")]


def report(options, before, after, watch, polled):
    seconds = after.at - before.at
    evaluations = after.evaluations - before.evaluations
    queries = after.asked["queries"] - before.asked["queries"]
    answer_bytes = after.asked["answer_bytes"] - before.asked["answer_bytes"]
    gaps = watch.gaps() or [float("inf")]

    def at(share):
        return gaps[min(len(gaps) - 1, int(len(gaps) * share))]

    lags = ", ".join(
        f"<= {bound:g} s: {after.lags[bound] - before.lags[bound]}" for bound in sorted(after.lags)
    )
    print(
        f"""
{options.rollouts} rollouts of {options.controls} pipelines, {options.age_minutes} minutes old, \
history {options.history}, watched for {seconds:.0f} s
evaluations      {evaluations}, {evaluations / seconds * INTERVAL_SECONDS / options.rollouts:.3f} \
for each rollout and interval
between two      median {at(0.5):.2f} s, p99 {at(0.99):.2f} s, at most {gaps[-1]:.2f} s
lag              mean {(after.lag_sum - before.lag_sum) / max(evaluations, 1):.2f} s; {lags}
oldest window    {watch.oldest_window_seconds:.1f} s, of a sample of {len(watch.sample)}
polls            {polled["polls"]}, {polled["polls"] / polled["seconds"]:.0f}/s: \
p50 {polled["p50_ms"]:.2f} ms, p99 {polled["p99_ms"]:.2f} ms, p99.9 {polled["p999_ms"]:.2f} ms, \
at most {polled["max_ms"]:.2f} ms
told             {polled["told"]}
resident         {after.resident:.0f} MiB, at most {after.peak:.0f} MiB
processor        {(after.cpu - before.cpu) / seconds:.2f} of one core, \
{(after.cpu - before.cpu) / max(evaluations, 1) * 1e3:.2f} ms an evaluation \
(source {(after.source_cpu - before.source_cpu) / seconds:.2f})
questions        {queries}, {queries / max(evaluations, 1):.2f} an evaluation, \
{answer_bytes / max(evaluations, 1) / 1024:.1f} KiB an evaluation; \
{after.asked["different"]} different texts""",
        flush=True,
    )
    broken = []
    if len(watch.times) != options.rollouts:
        broken.append(f"/metrics knows {len(watch.times)} rollouts, not {options.rollouts}")
    least = options.seconds // INTERVAL_SECONDS - 1
    seldom = sum(len(times) < least for times in watch.times.values())
    if seldom or gaps[-1] > INTERVAL_SECONDS + SLACK_SECONDS:
        broken.append(
            f"not every rollout is judged every {INTERVAL_SECONDS} s: {seldom} were judged less "
            f"than {least} times, the longest time between two judgements is {gaps[-1]:.1f} s"
        )
    # The newest sealed interval ended up to lag + interval ago, and has an interval to be judged.
    if watch.oldest_window_seconds > LAG_SECONDS + 2 * INTERVAL_SECONDS + SLACK_SECONDS:
        broken.append(f"a window shown was {watch.oldest_window_seconds:.0f} s old")
    if polled["p99_ms"] >= MOST_P99_MS:
        broken.append(f"polls took {polled['p99_ms']:.0f} ms (p99), not below {MOST_P99_MS}")
    if any(not told.startswith("hold ") for told in polled["told"]):
        broken.append(f"a poll was answered by something else than hold: {polled['told']}")
    if after.peak > MOST_RESIDENT_MIB:
        broken.append(f"{after.peak:.0f} MiB were resident, more than {MOST_RESIDENT_MIB}")
    return broken


if __name__ == "__main__":
    main()
