#!/usr/bin/env python3
"""Kills Serinus again and again while rollouts run, and holds every answer against those before.

A real Prometheus scrapes a fleet of good canaries, bad ones and ones that turn bad; about 20
rollouts of them run at any time, each polled every second (gate, state, trail), some of them
overridden, advanced, taken past a stage or cancelled, some of them dry runs, some through a
pipeline whose second stage is a shadow stage, and new ones started as others end. Meanwhile
Serinus is killed with SIGKILL: at random moments, while it starts, right after it acknowledged a
change, and right after a gate told a promote or a rollback for the first time. It is started again
at once on the same file. Fails when an accepted rollout is lost, an event is lost or changed, an
answer contradicts an earlier one (`rollout_model.py` says which do), a request is not answered
though the process was up, a decision is not the same when it is computed again, SQLite finds the
file damaged, or when too little happened to show anything.

    scripts/prove-crash.py [--kills 50] [--rollouts 20] [--seed N] [--binary target/release/serinus]
"""

import argparse
import collections
import contextlib
import itertools
import random
import statistics
import threading
import time
import traceback
import urllib.parse

import proving
from rollout_model import (
    OVER,
    PROMOTE,
    Contradiction,
    Model,
    ask_gate,
    ask_state,
    ask_trail,
    gate_path,
    held,
    replayed,
)

# By name; in the second one a stage is judged without acting.
SHADOW = {"shop": "", "careful": "shadow: true, "}
STAGES = ["first", "second", "third"]
PIPELINE = """
metrics:
  error_rate: {errors: 'http_requests_total{code="500"}', total: http_requests_total}
analysis: {interval: 2s, lag: 1s}
canary_pipeline:
  first: {traffic_percent: 50, duration_minutes: 0.1, metrics: [error_rate < baseline * 1.5]}
  second: {SHADOWtraffic_percent: 50, duration_minutes: 0.1}
  third: {traffic_percent: 50, duration_minutes: 0.1}
"""
CONTROL = {"canary": proving.Fleet.CONTROL}

POLL_SECONDS = 1.0
SLOWEST_GATE_SECONDS = 8.0
SPONTANEOUS_CHANGES = 0.01  # share of the polls
POLLS_AFTER_THE_END = 3
CHANGES = ["override promote", "override rollback", "advance", "skip", "cancel"]
# How a kill is timed, and how many of ten are.
TIMINGS = ["moment"] * 4 + ["start-up"] * 2 + ["acknowledged"] * 2 + ["decided"] * 2
# What must have happened at least, for each kill.
LEAST = {
    "promotes told": 0.2,
    "rollbacks told": 0.2,
    "starts": 0.4,
    "overrides": 0.04,
    "advances": 0.04,
    "skips": 0.02,
    "cancels": 0.04,
    "stages without acting passed": 0.04,
    "stages left": 0.04,
    "found without acting": 0.02,
}


class Proof:
    """What all threads share."""

    def __init__(self, serinus, fleet, seed):
        self.serinus, self.fleet, self.seed = serinus, fleet, seed
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.verdicts = collections.Counter()
        self.slowest_gate_seconds = 0.0
        self.outages = [[time.monotonic(), None]]  # from when until when it was not up
        self.armed = None
        self.has_struck = threading.Event()
        self.wanted = None
        self.over = threading.Event()
        self.failure = None
        self.models = []
        self.left = []  # those that no slot follows any more
        self.numbers = itertools.count(1)

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def watch(self, work):
        """Runs a thread's work; the first failure ends the proof."""
        try:
            work()
        except Contradiction as contradiction:
            self.failure = self.failure or str(contradiction)
        except Exception:
            self.failure = self.failure or traceback.format_exc()
        finally:
            if self.failure:
                self.over.set()

    def ask(self, method, path, body=None):
        """Asks; an answer that does not come must be the fault of a kill."""
        began_at = time.monotonic()
        try:
            answer = self.serinus.ask(method, path, body)
        except proving.Unanswered as error:
            now = time.monotonic()
            killed = any(
                since <= now and (until is None or until >= began_at)
                for since, until in self.outages
            )
            if not killed:
                raise Contradiction(f"not answered, though Serinus was up: {error}") from error
            self.count("unanswered")
            raise
        self.count("answered")
        if path.endswith("/gate") or "/gate?" in path:
            self.slowest_gate_seconds = max(self.slowest_gate_seconds, time.monotonic() - began_at)
        return answer

    def moment(self, kind):
        """Something happened upon which a kill may wait: then it is killed here and now."""
        with self.lock:
            if self.armed != kind:
                return
            self.armed = None
            self.strike()
        self.has_struck.set()

    def strike(self):
        self.outages.append([time.monotonic(), None])
        self.serinus.kill()

    def is_up(self):
        with self.lock:
            for outage in self.outages:
                outage[1] = outage[1] or time.monotonic()

    def take_wanted(self, kinds):
        """A change that is wanted for a kill to follow, if it is one of these."""
        with self.lock:
            if self.wanted in kinds:
                wanted, self.wanted = self.wanted, None
                return wanted
        return None


class Slot:
    """One rollout after the other, each polled until a little after its end."""

    def __init__(self, proof, number):
        self.proof, self.number = proof, number
        self.dice = random.Random(f"{proof.seed} slot {number}")

    def run(self):
        # Not all in step.
        time.sleep(self.dice.random() * POLL_SECONDS)
        while not self.proof.over.is_set():
            self.one_key()

    def one_key(self):
        key = f"key-{next(self.proof.numbers)}"
        pipeline = self.dice.choice(list(SHADOW))
        is_dry_run = self.dice.random() < 0.15
        canary = f"canary-{key}"
        kind = self.dice.choices(["good", "bad", "later"], [45, 25, 30])[0]
        if kind == "later":
            self.proof.fleet.canary(
                canary, turns_after_seconds=self.dice.uniform(10, 45), turns_to=0.2
            )
        else:
            self.proof.fleet.canary(canary, error_rate=0.2 if kind == "bad" else None)
        # A key that was cancelled may be used again, for another rollout.
        before = None
        while not self.proof.over.is_set():
            model = Model(pipeline, STAGES, key, CONTROL, {"canary": canary})
            self.start(model, before, is_dry_run)
            if model.id is not None:
                self.follow(model)
                if model.state in OVER:
                    with self.proof.lock:
                        self.proof.left.append(model)
            if model.state != "cancelled" or self.dice.random() < 0.5:
                break
            before = model
        self.proof.fleet.remove(canary)

    def start(self, model, before, is_dry_run):
        """Starts it, asking again until it is answered."""
        by_gate = self.dice.random() < 0.5
        body = {
            "key": model.key,
            "control": model.populations["control"],
            "canary": model.populations["canary"],
            "dry_run": is_dry_run,
        }
        if not by_gate:
            advance = self.dice.choice(["automatic", "caller"])
            body = {**body, "pipeline": model.pipeline, "advance": advance}
        tries = 0
        while not self.proof.over.is_set():
            tries += 1
            with contextlib.suppress(proving.Unanswered):
                if by_gate:
                    answer = self.proof.ask("POST", gate_path(model.pipeline, STAGES[0]), body)
                    model.require(
                        answer.status == 200, f"a gate answered {answer.status} {answer.content}"
                    )
                    rollout = answer.json().get("rollout")
                else:
                    answer = self.proof.ask("POST", "/v1/rollouts", body)
                    expected = {201} if tries == 1 else {200, 201}
                    model.require(
                        answer.status in expected,
                        f"a start answered {answer.status} {answer.content}",
                    )
                    rollout = answer.json()["rollout"]
                    if answer.status == 200:
                        self.proof.count("starts found again after a kill")
                model.started(rollout)
                self.proof.moment("acknowledged")
                model.require(
                    before is None or rollout != before.id,
                    "a cancelled rollout was found by its key",
                )
                with self.proof.lock:
                    self.proof.models.append(model)
                self.proof.count("starts")
                return
            time.sleep(0.03)

    def follow(self, model):
        """Polls it until it is over and was polled a little longer."""
        polls, after_the_end = 0, 0
        while not self.proof.over.is_set() and after_the_end < POLLS_AFTER_THE_END:
            began_at = time.monotonic()
            try:
                self.change_perhaps(model)
                if model.state == "cancelled":
                    return
                poll(self.proof, model, self.stages_to_ask(model), polls % 2)
            except proving.Unanswered:
                time.sleep(0.03)
                continue
            polls += 1
            after_the_end += model.state in OVER
            time.sleep(max(0.0, began_at + POLL_SECONDS - time.monotonic()))

    def stages_to_ask(self, model):
        """The stage it is at, the next one where we move the traffic, and what passed before."""
        at = model.place
        here = STAGES[at]
        moves = model.constants and model.constants["advance"] == "caller"
        if (
            moves
            and model.state == "open"
            and model.verdicts.get(here) == PROMOTE
            and at + 1 < len(STAGES)
        ):
            here = STAGES[at + 1]
        earlier = [stage for stage in STAGES[:at] if stage in model.verdicts]
        return [here, *self.dice.sample(earlier, min(1, len(earlier)))]

    def change_perhaps(self, model):
        possible = {
            "open": CHANGES
            if model.place + 1 < len(STAGES)
            else [kind for kind in CHANGES if kind not in ("advance", "skip")],
            "rolled_back": ["override promote", "cancel"],
            "promoted": ["cancel"],
        }.get(model.state, [])
        kind = self.proof.take_wanted(possible)
        if kind is None and possible and self.dice.random() < SPONTANEOUS_CHANGES:
            kind = self.dice.choice(possible)
        if kind is None:
            return
        change_and_look(self.proof, model, kind)


def change_and_look(proof, model, kind):
    """Asks for a change; the trail tells what became of it."""
    reason = f"proof {next(proof.numbers)}"
    step = 2 if kind == "skip" else 1
    to = STAGES[min(model.place + step, len(STAGES) - 1)]
    name, _, verdict = kind.partition(" ")
    body, entry = {
        "override": ({"verdict": verdict, "reason": reason}, ("overridden", reason)),
        "cancel": ({"reason": reason}, ("cancelled", reason)),
        "advance": ({"stage": to}, ("stage_started", to)),
        "skip": ({"stage": to}, ("stage_started", to)),
    }[name]
    told_by = "stage" if name in ("advance", "skip") else "reason"
    path = "advance" if name == "skip" else name
    change = model.change(kind, lambda event: (event["kind"], event.get(told_by)) == entry)
    try:
        answer = proof.ask("POST", f"/v1/rollouts/{model.id}/{path}", body)
        # 409: it was decided meanwhile.
        model.require(
            answer.status in (200, 409), f"{kind} is answered with {answer.status} {answer.content}"
        )
        change.is_acknowledged = answer.status == 200
        if change.is_acknowledged:
            proof.moment("acknowledged")
            proof.count(f"{name}s")
    except proving.Unanswered:
        proof.count("changes without an answer")
    while change.has_happened is None and not proof.failure:
        with contextlib.suppress(proving.Unanswered):
            ask_trail(proof.ask, model)
    if change.has_happened and not change.is_acknowledged:
        proof.count("changes without an answer that had happened")


def poll(proof, model, stages, by_post):
    """Asks the gates, the state and the trail of one rollout, and holds each against the rest."""
    for stage in stages:
        told, is_news = ask_gate(proof.ask, model, stage, by_post)
        if is_news:
            proof.moment("decided")
            proof.count(f"{told['verdict']}s told")
        model.require(told["reason_code"] != "store_unavailable", told["gate"]["reason"])
        with proof.lock:
            proof.verdicts[told["verdict"], told["reason_code"]] += 1
    ask_state(proof.ask, model)
    ask_trail(proof.ask, model)


def watch_those_over(proof):
    """Asks again for rollouts that are over: nothing of them may ever change."""
    dice = random.Random(f"{proof.seed} watch")
    while not proof.over.is_set():
        time.sleep(0.1)
        with proof.lock:
            model = dice.choice(proof.left) if proof.left else None
        if model:
            with contextlib.suppress(proving.Unanswered):
                gates = (
                    [] if model.state == "cancelled" else dice.sample(STAGES[: model.place + 1], 1)
                )
                poll(proof, model, gates, by_post=True)


def kill_again_and_again(proof, kills, dice):
    """Returns how often each timing was used, and the seconds from each start until ready."""
    serinus, timings, ready_seconds = proof.serinus, collections.Counter(), []
    while sum(timings.values()) < kills and not proof.over.is_set():
        timing = dice.choice(TIMINGS)
        pause = dice.uniform(0.3, 3)
        if timing == "start-up":
            # The one before it ends at a moment of its own, and this one before it is ready.
            time.sleep(pause)
            with proof.lock:
                proof.strike()
            timings["moment"] += 1
            serinus.spawn()
            time.sleep(dice.uniform(0, 0.05))
            with proof.lock:
                proof.strike()
        elif timing == "moment":
            time.sleep(pause)
            with proof.lock:
                proof.strike()
        else:
            time.sleep(0.3)
            proof.has_struck.clear()
            with proof.lock:
                proof.armed = timing
                proof.wanted = dice.choice(CHANGES) if timing == "acknowledged" else None
            if not proof.has_struck.wait(10):
                with proof.lock:
                    if proof.armed:
                        proof.armed, timing = None, "moment"
                        proof.strike()
        timings[timing] += 1
        began_at = time.monotonic()
        serinus.spawn()
        serinus.wait_until_ready()
        ready_seconds.append(time.monotonic() - began_at)
        proof.is_up()
    return timings, ready_seconds


def check_keys(proof):
    """Every key has the rollouts that were answered and no others; the newest is what it means."""
    by_key = collections.defaultdict(list)
    for model in proof.models:
        by_key[model.pipeline, model.key].append(model.id)
    for (pipeline, key), ids in by_key.items():
        query = urllib.parse.urlencode({"pipeline": pipeline, "key": key})
        listed = [
            one["rollout"] for one in proof.ask("GET", f"/v1/rollouts?{query}").json()["rollouts"]
        ]
        proving.require(
            listed == ids[::-1], f"the key {key} has the rollouts {listed}, and {ids} were answered"
        )
    for model in proof.models:
        if model.state in ("promoted", "rolled_back"):
            other = {"key": model.key, "pipeline": model.pipeline, "canary": {"canary": "another"}}
            status = proof.ask("POST", "/v1/rollouts", other).status
            model.require(status == 409, f"a start with another canary is answered with {status}")
    return len(by_key)


def count_states(proof):
    """Counts what the trails hold of the states that not every rollout comes into."""
    for model in proof.models:
        without_acting = set()
        for event in model.events:
            if event.get("acted") is False:
                proof.count("found without acting")
                without_acting.add(event["stage"])
            elif event["kind"] == "stage_left":
                proof.count("stages left")
            elif event["kind"] == "stage_passed" and event["stage"] in without_acting:
                proof.count("stages without acting passed")


def finish(proof, path, store):
    """With all ended and nothing moving: everything is there, and says the same once more."""
    for model in proof.models:
        if model.state == "open":
            change_and_look(proof, model, "cancel")
    proof.strike()
    proof.serinus.spawn()
    proof.serinus.wait_until_ready()
    for model in proof.models:
        gates = [] if model.state == "cancelled" else STAGES[: model.place + 1]
        poll(proof, model, gates, by_post=False)
    count_states(proof)
    figures = {"keys": check_keys(proof)}
    same, without = replayed(proof.serinus, store, proof.models)
    figures |= {
        "decisions computed again, the same to the byte": same,
        "decisions without data": without,
    }
    proof.serinus.stop()
    figures["events held, all as first read"] = held(path, proof.models)
    figures["bytes of the store"] = path.stat().st_size
    return figures


def prove(stack, options):
    folder = proving.scratch(stack)
    fleet = proving.Fleet(stack, requests_per_second=1000, seed=options.seed)
    prometheus = proving.start_prometheus(stack, folder, [fleet.target])
    path = folder / "serinus.db"
    store = f"sqlite:{path}"
    pipelines = {name: PIPELINE.replace("SHADOW", shadow) for name, shadow in SHADOW.items()}
    serinus = proving.Serinus(
        stack, folder, options.binary, prometheus.url, pipelines, [f"--store={store}"]
    )
    proof = Proof(serinus, fleet, options.seed)
    stack.callback(proof.over.set)
    serinus.start()
    proof.is_up()

    work = [Slot(proof, number).run for number in range(options.rollouts)] + [
        lambda: watch_those_over(proof)
    ]
    threads = [threading.Thread(target=proof.watch, args=[one], daemon=True) for one in work]
    began_at = time.monotonic()
    for thread in threads:
        thread.start()
    # Until the first stages are about to pass.
    proof.over.wait(8)
    timings, ready_seconds = kill_again_and_again(
        proof, options.kills, random.Random(f"{options.seed} kills")
    )
    # What was under way goes on.
    proof.over.wait(5)
    proof.over.set()
    for thread in threads:
        thread.join(30)
    seconds = time.monotonic() - began_at
    figures = {}
    if not proof.failure:
        proof.watch(lambda: figures.update(finish(proof, path, store)))
    if proof.failure:
        proving.fail(f"{proof.failure}\n(seed {options.seed})")
    report(proof, timings, ready_seconds, seconds, figures)


def report(proof, timings, ready_seconds, seconds, figures):
    kills = sum(timings.values())
    print(
        f"{kills} kills in {seconds:.0f} s: "
        + ", ".join(f"{count} {name}" for name, count in timings.items())
    )
    median, slowest = statistics.median(ready_seconds), max(ready_seconds)
    print(f"ready again after {median * 1000:.0f} ms (median), {slowest * 1000:.0f} ms (slowest)")
    by_state = collections.Counter(model.state for model in proof.models)
    print(
        f"{len(proof.models)} rollouts: "
        + ", ".join(f"{count} {state}" for state, count in by_state.items())
    )
    for what, count in sorted(proof.counts.items()):
        print(f"{count:8} {what}")
    for (verdict, reason_code), count in sorted(proof.verdicts.items()):
        print(f"{count:8} gates answered {verdict}, {reason_code}")
    for what, count in figures.items():
        print(f"{count:8} {what}")
    print(f"{proof.slowest_gate_seconds:8.3f} s, the slowest gate")
    proving.require(
        proof.slowest_gate_seconds < SLOWEST_GATE_SECONDS,
        f"a gate took {proof.slowest_gate_seconds:.1f} s: {SLOWEST_GATE_SECONDS} s are promised",
    )
    for what, share in LEAST.items():
        least = round(share * kills)
        proving.require(
            proof.counts[what] >= least,
            f"only {proof.counts[what]} {what}, which shows little: {least} are wanted",
        )
    print("nothing that was answered was lost, changed or contradicted")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--kills", type=int, default=50)
    arguments.add_argument("--rollouts", type=int, default=20, help="how many run at the same time")
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    proving.binary_argument(arguments)
    options = arguments.parse_args()
    print(f"seed {options.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        prove(stack, options)


if __name__ == "__main__":
    main()
