#!/usr/bin/env python3
"""Sets the clock under a running Serinus back and ahead, and holds that it goes on judging.

A real Prometheus, whose clock is right, scrapes a fleet. Serinus runs with libfaketime, which sets
its wall clock and leaves its monotonic one alone. In each scenario the clock is set while a rollout
runs, and its canary turns bad at that moment:

    back        set back an hour, and left so
    ahead       set two hours ahead for 12 s
    ancient     set before 1970, and left so
    unanswered  set back an hour while the source does not answer, which it does again later
    begun       it was an hour behind from the start, and is set right under a running rollout

Fails when the rollout is not judged within one interval of the change (and some time for the
judgement itself), when its kill switch does not fire, when a rollout that is healthy is decided,
when one that begins meanwhile begins at another time than now or is not judged, when the trail's
times are not those of the Prometheus, when anything panicked, or when log and `/metrics` do not
tell the jump, once.
Last: with a clock before 1970 it does not start, and says why.

    scripts/prove-clock.py [--only back] [--binary target/release/serinus]
"""

import argparse
import concurrent.futures
import contextlib
import datetime
import glob
import json
import os
import signal
import subprocess
import time

import proving

INTERVAL_SECONDS = 5
# What a judgement takes, and what it is put off so that not all are judged at once.
SLACK_SECONDS = 3.0
# From a canary that turns bad until its data is there, sealed, judged and told.
FIRES_WITHIN_SECONDS = 4 * INTERVAL_SECONDS
PIPELINE = f"""
metrics:
  error_rate: {{errors: 'http_requests_total{{code="500"}}', total: http_requests_total}}
analysis: {{interval: {INTERVAL_SECONDS}s, lag: 1s}}
kill_switch: [error_rate > 20%]
canary_pipeline:
  only: {{traffic_percent: 50, duration_minutes: 60, metrics: [error_rate < baseline * 1.5]}}
"""
HOUR = 3600
ANCIENT = -1_900_000_000
RIGHT_WITHIN_SECONDS = 5


def libfaketime():
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1") + glob.glob(
        "/usr/lib/faketime/libfaketime.so.1"
    )
    proving.require(found, "there is no libfaketime: install the package faketime")
    return found[0]


class Clock:
    """The wall clock of one process, which can be set."""

    def __init__(self, folder, offset_seconds=0):
        self.file = folder / "clock"
        self.set(offset_seconds)

    def set(self, offset_seconds):
        written = self.file.with_suffix(".new")
        written.write_text(f"{offset_seconds:+d}\n")
        written.rename(self.file)

    def environment(self):
        return {
            "LD_PRELOAD": libfaketime(),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


class Scene:
    """A fleet, a Prometheus and a Serinus whose clock can be set."""

    def __init__(self, stack, binary, offset_seconds=0):
        self.folder = proving.scratch(stack)
        self.fleet = proving.Fleet(stack)
        for name in ("turns", "healthy", "later", "behind"):
            self.fleet.canary(name)
        self.prometheus = proving.start_prometheus(stack, self.folder, [self.fleet.target])
        self.clock = Clock(self.folder, offset_seconds)
        arguments = ["--log-format=json", f"--store=sqlite:{self.folder}/serinus.db"]
        self.serinus = proving.Serinus(
            stack, self.folder, binary, self.prometheus.url, {"shop": PIPELINE}, arguments
        )
        self.serinus.environment = self.clock.environment()
        # Time for the Prometheus to see the fleet.
        time.sleep(3)
        self.serinus.start()

    def gate(self, canary):
        path = (
            f"/v1/pipelines/shop/stages/only/gate?key={canary}"
            f"&canary.canary={canary}&control.canary={proving.Fleet.CONTROL}"
        )
        answer = self.serinus.ask("GET", path)
        proving.require(answer.status == 200, f"the gate of {canary}: {answer.content[:300]}")
        return answer.json()

    def figure(self, name):
        """A figure of /metrics, with its labels as it is written there; 0 when it is not there."""
        text = self.serinus.ask("GET", "/metrics").content.decode()
        found = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        return float(found[0].rsplit(" ", 1)[1]) if found else 0.0

    def judged(self):
        return self.figure("serinus_evaluation_lag_seconds_count")

    def wait_for(self, what, seconds, condition):
        """Waits until it holds, and says how long that took."""
        began_at = time.monotonic()
        while time.monotonic() - began_at < seconds:
            if condition():
                return time.monotonic() - began_at
            time.sleep(0.1)
        return self.fail(f"{what}: not within {seconds:.0f} s")

    def fail(self, sentence):
        gates = {canary: self.gate(canary)["gate"]["reason"] for canary in ("turns", "healthy")}
        proving.fail(f"{sentence}\nthe gates say: {gates}\n{self.serinus.log_tail(1500)}")

    def wait_until_judged(self, within_seconds=INTERVAL_SECONDS + SLACK_SECONDS):
        """A judgement from now on; says how long it took."""
        before = self.judged()
        return self.wait_for("judged on", within_seconds, lambda: self.judged() > before)

    def lines(self):
        """The lines of the log, as fields."""
        lines = []
        for line in self.serinus.log_text().splitlines():
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line))
        return lines

    def jumps(self):
        return [line for line in self.lines() if "clock.jump_seconds" in line]

    def check_times(self, canary, since):
        """What is recorded of a rollout happened when it did, by a clock that is right."""
        told = self.gate(canary)
        state = self.serinus.ask("GET", f"/v1/rollouts/{told['rollout']}").json()
        events = self.serinus.ask("GET", f"/v1/rollouts/{told['rollout']}/events").json()["events"]
        times = [state["created"], *(event["at"] for event in events)]
        for text in times:
            at = datetime.datetime.fromisoformat(text).timestamp()
            is_right = since - RIGHT_WITHIN_SECONDS <= at <= time.time() + RIGHT_WITHIN_SECONDS
            proving.require(is_right, f"{canary}: {text} was recorded at {proving.timestamp(at)}")


def run(scene, change, while_changed=None):
    """Judges, changes the clock, and shows that judging goes on. Says what was seen."""
    began = time.time()
    scene.gate("turns"), scene.gate("healthy")
    # The first whole interval of a stage is over after up to two.
    for _ in range(3):
        scene.wait_until_judged(3 * INTERVAL_SECONDS)
    change()
    changed_at = time.monotonic()
    scene.fleet.turn("turns", 0.5)
    if while_changed:
        while_changed()
    seen = {"judged after": scene.wait_until_judged()}
    scene.wait_for(
        "the kill switch fires",
        FIRES_WITHIN_SECONDS,
        lambda: scene.gate("turns")["gate"]["verdict"] == "rollback",
    )
    seen["kill switch after"] = time.monotonic() - changed_at
    # A rollout that begins by a clock that is wrong.
    later = time.time()
    scene.gate("later")
    scene.fleet.turn("later", 0.5)
    scene.wait_for(
        "the kill switch of a rollout that began meanwhile",
        FIRES_WITHIN_SECONDS + INTERVAL_SECONDS,
        lambda: scene.gate("later")["gate"]["verdict"] == "rollback",
    )
    scene.check_times("turns", began), scene.check_times("later", later)
    healthy = scene.gate("healthy")
    proving.require(healthy["gate"]["verdict"] == "hold", f"the healthy one is told {healthy}")
    log = scene.serinus.log_text()
    proving.require("panicked" not in log, f"it panicked:\n{scene.serinus.log_tail()}")
    rollbacks = [line for line in scene.lines() if line.get("verdict") == "rollback"]
    proving.require(
        sorted(line["rollout.key"] for line in rollbacks if line["level"] == "WARN")
        == ["later", "turns"],
        f"each rollback is one warning: {rollbacks}",
    )
    return seen


def require_jumps(scene, *expected):
    """The log and the figures tell these jumps, each once."""
    told = [(line["clock.direction"], line["clock.jump_seconds"]) for line in scene.jumps()]
    proving.require(
        len(told) == len(expected)
        and all(
            direction == wanted and abs(seconds - by) <= 2
            for (direction, seconds), (wanted, by) in zip(told, expected, strict=True)
        ),
        f"jumps in the log: {told}, and not {expected}",
    )
    for direction in ("ahead", "back"):
        counted = scene.figure(f'serinus_clock_jumps_total{{direction="{direction}"}}')
        wanted = sum(one[0] == direction for one in expected)
        proving.require(counted == wanted, f"/metrics counts {counted} jumps {direction}")


def clock_check(scene):
    checks = scene.serinus.ask("GET", "/readyz").json()["checks"]
    return next(check for check in checks if check["name"] == "clock")


def back(stack, binary):
    scene = Scene(stack, binary)
    seen = run(scene, lambda: scene.clock.set(-HOUR))
    require_jumps(scene, ("back", HOUR))
    proving.require("3600 s behind" in clock_check(scene).get("message", ""), "/readyz is silent")
    return seen


def ahead(stack, binary):
    scene = Scene(stack, binary)

    def for_a_moment():
        time.sleep(12)
        scene.clock.set(0)

    seen = run(scene, lambda: scene.clock.set(2 * HOUR), for_a_moment)
    require_jumps(scene, ("ahead", 2 * HOUR), ("back", 2 * HOUR))
    proving.require(clock_check(scene)["ok"], "/readyz says that the clock is wrong")
    return seen


def ancient(stack, binary):
    scene = Scene(stack, binary)
    seen = run(scene, lambda: scene.clock.set(ANCIENT))
    require_jumps(scene, ("back", -ANCIENT))
    # Threads that rest end after 10 s: those that start now see no other clock.
    time.sleep(12)
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        for path in ("/readyz", "/metrics", "/v1/rollouts") * 16:
            threads.submit(scene.serinus.ask, "GET", path)
    proving.require(not clock_check(scene)["ok"], "/readyz is silent")
    proving.require("panicked" not in scene.serinus.log_text(), scene.serinus.log_tail())
    return seen


def unanswered(stack, binary):
    scene = Scene(stack, binary)

    def change():
        # Stopped and not ended: it takes connections and says nothing.
        scene.prometheus.running.send_signal(signal.SIGSTOP)
        scene.clock.set(-HOUR)

    def while_changed():
        scene.wait_for("the jump is told", 5, scene.jumps)
        time.sleep(20)
        proving.require("has not said since" in clock_check(scene)["message"], "no doubt is told")
        scene.prometheus.running.send_signal(signal.SIGCONT)
        scene.fleet.turn("turns", 0.5)

    seen = run(scene, change, while_changed)
    require_jumps(scene, ("back", HOUR))
    source = [line["level"] for line in scene.lines() if "source.name" in line]
    proving.require(source == ["WARN", "INFO"], f"the source's silence is told as {source}")
    return seen


def begun(stack, binary):
    scene = Scene(stack, binary, -HOUR)
    scene.wait_for("the source says what time it is", 5, lambda: not clock_check(scene)["ok"])
    seen = run(scene, lambda: scene.clock.set(0))
    require_jumps(scene, ("ahead", HOUR))
    proving.require(clock_check(scene)["ok"], "/readyz says that the clock is wrong")
    return seen


def refused_before_1970(stack, binary):
    folder = proving.scratch(stack)
    clock = Clock(folder, ANCIENT)
    ended = subprocess.run(
        [binary, "serve", "--listen=127.0.0.1:0", "--prometheus=http://127.0.0.1:1"],
        env={**os.environ, **clock.environment()},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        cwd=folder,
    )
    said = ended.stderr.strip()
    proving.require(
        ended.returncode == 1 and "before 1970" in said and "panicked" not in said,
        f"it ended with {ended.returncode} and said: {said}",
    )


SCENARIOS = [back, ahead, ancient, unanswered, begun]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    proving.binary_argument(parser)
    parser.add_argument("--only", choices=[scenario.__name__ for scenario in SCENARIOS])
    arguments = parser.parse_args()
    for scenario in SCENARIOS:
        if arguments.only in (None, scenario.__name__):
            with contextlib.ExitStack() as stack:
                seen = scenario(stack, arguments.binary)
            told = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in seen.items())
            print(f"{scenario.__name__:<11} {told} (interval {INTERVAL_SECONDS} s)", flush=True)
    if arguments.only is None:
        with contextlib.ExitStack() as stack:
            refused_before_1970(stack, arguments.binary)
        print("a start before 1970 is refused, with the reason")


if __name__ == "__main__":
    main()
