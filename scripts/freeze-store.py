#!/usr/bin/env python3
"""Freezes what a release remembers: a store of its own, and what it answers from it.

    scripts/freeze-store.py --binary OLD/serinus --into tests/tests/data/store-0.1.0

Writes INTO.db.gz, one SQLite file made by that binary on a real Prometheus, with rollouts that are
open, passed, promoted, rolled back, overridden, cancelled and closed, and INTO.json, what the same
binary answers from that file alone, its source unreachable: each rollout as it is listed and told,
its trail, and the gate of each stage that has begun. `tests/tests/integration/frozen_store.rs`
opens it with every later version.

It is run once for a release, with that release's binary, and never again for the same one.
"""

import argparse
import contextlib
import datetime
import gzip
import itertools
import json
import pathlib
import shutil
import sqlite3
import sys
import time
import urllib.parse

import proving

SCRAPE_SECONDS = 15
HISTORY_SECONDS = 6 * 60 * 60
PODS = 2
BOUNDS_SECONDS = ["0.1", "0.2", "0.5", "1"]
# Where clients are told that it is, so that no answer holds a port.
PUBLIC_URL = "https://serinus.example"
# Nothing is removed because the test runs years later.
KEEP_DAYS = 2**32 - 1
UNREACHABLE = "http://127.0.0.1:9"
# What an open rollout tells depends on the moment that it is asked in.
MOMENTARY = ["verdict", "gate", "progress", "reason_code", "true_verdict", "updated", "analysis"]

# Two stages that the caller moves between, with one check of each kind of data.
CHECKOUT = """\
control: {track: stable}
metrics:
  error_rate: {errors: 'http_requests_total{code=~"5.."}', total: http_requests_total}
  latency_p90: {quantile: 0.9, histogram: http_request_duration_seconds}
  queue_depth: {gauge: queue_depth}
analysis: {interval: 30s, lag: 30s, history: off}
kill_switch: [queue_depth > 500]
canary_pipeline:
  stage_1:
    name: One region
    traffic_percent: 50
    duration_minutes: 10
    metrics: [error_rate < baseline * 1.25, latency_p90 < baseline * 1.5]
  stage_2:
    name: Everywhere
    traffic_percent: 50
    duration_minutes: 20
    metrics: [error_rate < baseline * 1.25, {check: queue_depth < baseline * 2, critical: false}]
"""

# One stage that Serinus moves itself, judged with the noise that the control had before.
SEARCH = """\
control: {track: stable}
metrics:
  error_rate: {errors: 'http_requests_total{code=~"5.."}', total: http_requests_total}
analysis: {interval: 30s, lag: 30s, history: 4h}
canary_pipeline:
  only:
    traffic_percent: 50
    duration_minutes: 10
    metrics: [error_rate < baseline * 1.25]
"""

# Requests, failures and seconds that are slow of a thousand requests, and what waits, by track.
TRACKS = {
    "stable": {"failures": 10, "slow": 50, "queue": 100},
    "good": {"failures": 10, "slow": 50, "queue": 100},
    "bad": {"failures": 60, "slow": 300, "queue": 120},
    "jammed": {"failures": 10, "slow": 50, "queue": 900},
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    proving.binary_argument(arguments)
    arguments.add_argument(
        "--into", type=pathlib.Path, required=True, help="the files without .db.gz and .json"
    )
    options = arguments.parse_args()
    with contextlib.ExitStack() as stack:
        folder = proving.scratch(stack)
        store = folder / "store.db"
        make_store(stack, folder, options.binary, store)
        put_into_one_file(store)
        answers = told_by(stack, folder, options.binary, store)
        options.into.parent.mkdir(parents=True, exist_ok=True)
        packed = gzip.compress(store.read_bytes(), mtime=0)
        options.into.with_name(options.into.name + ".db.gz").write_bytes(packed)
        text = json.dumps(answers, indent=1, ensure_ascii=False)
        options.into.with_name(options.into.name + ".json").write_text(text + "\n")
    print(f"{len(answers['rollouts'])} rollouts in {store.name}")


def make_store(stack, folder, binary, store):
    """Runs rollouts of every kind on a past that a Prometheus never scraped."""
    now = int(time.time()) // SCRAPE_SECONDS * SCRAPE_SECONDS
    prometheus = proving.start_prometheus(stack, folder, history=history(now))
    serinus = server(stack, folder, binary, prometheus.url, store)
    play(Player(serinus, now))
    serinus.stop()
    prometheus.stop()


def history(end):
    """What a scrape of each track's pods would have seen, in the OpenMetrics format."""
    times = range(end - HISTORY_SECONDS, end + 1, SCRAPE_SECONDS)
    samples = {"http_requests": [], "http_request_duration_seconds": [], "queue_depth": []}
    for (track, plan), pod in itertools.product(TRACKS.items(), range(PODS)):
        labels = f'track="{track}",pod="{track}-{pod}"'
        for place, at in enumerate(times):
            # A little uneven, and the same in every run.
            served = 3000 * place + (place + 5 * pod) * 37 % 101
            failed = served * plan["failures"] // 1000 + (place + 3 * pod) * 13 % 7
            slow = served * plan["slow"] // 1000
            for code, count in (("200", served - failed), ("500", failed)):
                samples["http_requests"].append(
                    (f'http_requests_total{{{labels},code="{code}"}}', count, at)
                )
            counts = [
                served - 4 * slow,
                served - 2 * slow,
                served - slow,
                served - slow // 4,
                served,
            ]
            for bound, count in zip([*BOUNDS_SECONDS, "+Inf"], counts, strict=True):
                name = f'http_request_duration_seconds_bucket{{{labels},le="{bound}"}}'
                samples["http_request_duration_seconds"].append((name, max(count, 0), at))
            name = f"http_request_duration_seconds_count{{{labels}}}"
            samples["http_request_duration_seconds"].append((name, served, at))
            depth = plan["queue"] + place * 29 % 11
            samples["queue_depth"].append((f"queue_depth{{{labels}}}", depth, at))
    kinds = {
        "http_requests": "counter",
        "http_request_duration_seconds": "histogram",
        "queue_depth": "gauge",
    }
    lines = []
    for family, kind in kinds.items():
        lines.append(f"# TYPE {family} {kind}")
        # Series after series, as the format wants it.
        ordered = sorted(samples[family], key=lambda sample: (sample[0].split("{")[1], sample[0]))
        lines += [f"{name} {value} {at}" for name, value, at in ordered]
    return "\n".join([*lines, "# EOF", ""])


def server(stack, folder, binary, prometheus_url, store):
    arguments = [
        f"--store=sqlite:{store}",
        f"--public-url={PUBLIC_URL}",
        f"--keep-days={KEEP_DAYS}",
    ]
    pipelines = {"checkout": CHECKOUT, "search": SEARCH}
    serinus = proving.Serinus(stack, folder, binary, prometheus_url, pipelines, arguments)
    serinus.start()
    return serinus


class Player:
    """Plays what callers and people do."""

    def __init__(self, serinus, now):
        self.serinus, self.now = serinus, now

    def minutes_ago(self, minutes):
        at = datetime.datetime.fromtimestamp(self.now - 60 * minutes, datetime.UTC)
        return at.isoformat().replace("+00:00", "Z")

    def ask(self, method, path, body=None):
        answer = self.serinus.ask(method, path, body)
        proving.require(
            answer.status in (200, 201), f"{method} {path}: {answer.status} {answer.content!r}"
        )
        return answer.json()

    def gate(self, key, stage, track, started_minutes_ago, wanted, reason_code=None):
        """Begins a stage of `checkout` in the past, and waits until it is told."""
        body = {
            "key": key,
            "canary": {"track": track},
            "start": self.minutes_ago(started_minutes_ago),
        }
        path = f"/v1/pipelines/checkout/stages/{stage}/gate"
        deadline = time.monotonic() + 20
        told = self.ask("POST", path, body)
        del body["start"]
        while told["reason_code"] == "still_collecting" and time.monotonic() < deadline:
            time.sleep(0.2)
            told = self.ask("POST", path, body)
        is_wanted = told["verdict"] == wanted and reason_code in (None, told["reason_code"])
        proving.require(is_wanted, f"{key} at {stage} is to be {wanted} {reason_code}: {told}")
        return told["rollout"]

    def start(self, body, wanted_state):
        rollout = self.ask("POST", "/v1/rollouts", body)["rollout"]
        deadline = time.monotonic() + 20
        while (told := self.ask("GET", f"/v1/rollouts/{rollout}"))["state"] != wanted_state:
            proving.require(
                time.monotonic() < deadline, f"{body['key']} is to be {wanted_state}: {told}"
            )
            time.sleep(0.2)
        return rollout

    def change(self, rollout, verb, **body):
        self.ask("POST", f"/v1/rollouts/{rollout}/{verb}", body)


def play(player):
    """Every way in which a rollout of this release can stand."""
    player.gate("open.1", "stage_1", "good", 2, "hold")
    player.gate("silent.1", "stage_1", "nobody", 20, "hold")
    player.gate("passed.1", "stage_1", "good", 30, "promote")

    player.gate("promoted.1", "stage_1", "good", 90, "promote")
    player.gate("promoted.1", "stage_2", "good", 45, "promote")

    player.gate("worse.1", "stage_1", "bad", 30, "rollback", "check_failed")
    player.gate("second.1", "stage_1", "good", 30, "promote")
    player.gate("second.1", "stage_2", "good", 2, "hold")
    player.gate("jammed.1", "stage_1", "jammed", 30, "rollback", "kill_switch")

    overridden = player.gate("overridden.1", "stage_1", "nobody", 20, "hold")
    player.change(overridden, "override", verdict="promote", reason="a known outage, INC-42")
    overridden = player.gate("overridden.2", "stage_1", "bad", 30, "rollback")
    player.change(
        overridden, "override", verdict="promote", reason="the errors were the load test's"
    )
    overridden = player.gate("overridden.3", "stage_1", "good", 2, "hold")
    player.change(overridden, "override", verdict="rollback", reason="customers complain")

    cancelled = player.gate("cancelled.1", "stage_1", "good", 2, "hold")
    player.change(cancelled, "cancel", reason="replaced by cancelled.2")
    again = player.gate("again.1", "stage_1", "bad", 30, "rollback")
    player.change(again, "cancel", reason="built anew")
    player.gate("again.1", "stage_1", "good", 30, "promote")

    canary = {"name": "web", "namespace": "shop", "checksum": "5d7f9c", "phase": "Failed"}
    metadata = {"canary.track": "bad", "control.track": "stable"}
    path = "/adapters/flagger/checkout"
    player.serinus.ask(
        "POST", f"{path}/advance", {**canary, "phase": "Progressing", "metadata": metadata}
    )
    player.serinus.ask("POST", f"{path}/finished", {**canary, "metadata": metadata})

    started = {"pipeline": "search", "canary": {"track": "good"}, "start": player.minutes_ago(30)}
    player.start({**started, "key": "automatic.1"}, "promoted")
    player.start({**started, "key": "automatic.2", "canary": {"track": "bad"}}, "rolled_back")
    player.start({**started, "key": "dry.1", "dry_run": True}, "promoted")


def put_into_one_file(store):
    """Folds the log into the file and gives back what is free."""
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("VACUUM")
    left = [end for end in ("-wal", "-shm") if store.with_name(store.name + end).exists()]
    proving.require(not left, f"the store is not one file: {left}")


def told_by(stack, folder, binary, frozen):
    """What the binary answers from a copy, its source unreachable. Texts, so that bytes compare.

    A rollout that is judged now holds because of that source, which is recorded: of those only
    what was frozen is kept."""
    store = folder / "copy.db"
    shutil.copyfile(frozen, store)
    with contextlib.closing(sqlite3.connect(frozen)) as connection:
        frozen_events = dict(connection.execute("SELECT id, event_count FROM rollouts"))
    serinus = server(stack, folder, binary, UNREACHABLE, store)
    rollouts = []
    for summary in json.loads(asked(serinus, "/v1/rollouts?limit=200"))["rollouts"]:
        path = f"/v1/rollouts/{summary['rollout']}"
        told, trail = asked(serinus, path), asked(serinus, f"{path}/events")
        state = json.loads(told)
        is_judged = state["state"] == "open" and any(
            stage["state"] == "judged" for stage in state["stages"]
        )
        if is_judged:
            for name in MOMENTARY:
                summary.pop(name, None), state.pop(name, None)
        rollout = {
            "is_judged": is_judged,
            "summary": summary,
            # One that is judged as the fields that stay, another one as the text to the byte.
            "told": state if is_judged else told,
            "trail": beginning(trail, frozen_events[summary["rollout"]]) if is_judged else trail,
            "gates": gates(serinus, state),
        }
        rollouts.append(rollout)
    serinus.stop()
    return {"rollouts": rollouts}


def beginning(trail, count):
    """The text of a list of events up to the end of the one with that number."""
    end = trail.index("[") + 1
    for number in range(count):
        _, end = json.JSONDecoder().raw_decode(trail, end + (number > 0))
    return trail[:end]


def gates(serinus, state):
    """The gate of every stage that has begun and is not judged now; none of a key that would begin
    a new rollout."""
    if state["state"] in ("cancelled", "closed"):
        return {}
    key = urllib.parse.quote(state["key"], safe="")
    return {
        stage["stage"]: asked(
            serinus, f"/v1/pipelines/{state['pipeline']}/stages/{stage['stage']}/gate?key={key}"
        )
        for stage in state["stages"]
        if stage["state"] != "waiting"
        and not (state["state"] == "open" and stage["state"] == "judged")
    }


def asked(serinus, path):
    answer = serinus.ask("GET", path)
    proving.require(answer.status == 200, f"GET {path}: {answer.status} {answer.content!r}")
    return answer.content.decode()


if __name__ == "__main__":
    sys.exit(main())
