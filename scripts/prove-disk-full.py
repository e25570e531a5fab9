#!/usr/bin/env python3
"""Fills the disk of the store under rollouts, frees it again, and holds every answer to account.

The store lies on a small file system of its own (tmpfs), which another file fills up. Rollouts on a
real Prometheus are known by then: one that was rolled back, one whose first stage has passed, one
that goes on holding, and some that turn bad or come to pass while nothing can be recorded.

While it is full, the recorded verdicts are still told; what would have to be recorded is `hold`
with `store_unavailable`, never a promote or rollback that no trail holds; a hold that changes
nothing stays what it was; a first call of a gate holds and leaves nothing; `POST /v1/rollouts` and
every change are 503 problems; /readyz says what is wrong; everything can be read; every answer
comes within 8 s. When it is free again, all goes on by itself within seconds and what could not be
recorded is.

Then it is filled and freed again and again, while rollouts are started, with kills in between, also
while it is full. In the end no accepted rollout and no event is missing or changed
(`rollout_model.py`), every decision is computed again to the same bytes, and the file is sound.

    scripts/prove-disk-full.py [--cycles 10] [--mebibytes 8] [--seed N]
                               [--binary target/release/serinus]

Needs root, to mount the file system.
"""

import argparse
import collections
import contextlib
import errno
import functools
import itertools
import os
import random
import subprocess
import sys
import time

import proving
from rollout_model import (
    HOLD,
    PROMOTE,
    ROLLBACK,
    Contradiction,
    Model,
    ask_gate,
    ask_state,
    ask_trail,
    gate_path,
    held,
    replayed,
)

# Short stages, and one that lasts longer than the proof.
PIPELINES = {
    "short": """
metrics:
  error_rate: {errors: 'http_requests_total{code="500"}', total: http_requests_total}
analysis: {interval: 2s, lag: 1s}
canary_pipeline:
  first: {traffic_percent: 50, duration_minutes: 0.1, metrics: [error_rate < 5%]}
  second: {traffic_percent: 50, duration_minutes: 0.1}
""",
    "long": """
metrics:
  error_rate: {errors: 'http_requests_total{code="500"}', total: http_requests_total}
analysis: {interval: 2s, lag: 1s}
canary_pipeline:
  first: {traffic_percent: 50, duration_minutes: 30, metrics: [error_rate < 5%]}
  second: {traffic_percent: 50, duration_minutes: 30}
""",
}
STAGES = ["first", "second"]
CONTROL = {"canary": proving.Fleet.CONTROL}

# What a good canary holds with until its stage is over: nothing of it is news.
SHOWN = (HOLD, "warming_up")

SLOWEST_SECONDS = 8.0
RECOVERS_WITHIN_SECONDS = 15.0
FULL_SECONDS = 25.0
POLL_SECONDS = 0.5


class Disk:
    """A small file system, and a file that fills it."""

    def __init__(self, stack, folder, mebibytes):
        if os.geteuid() != 0:
            sys.exit("this proof mounts a small file system for the store: run it as root")
        folder.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "serinus-proof", folder],
            check=True,
        )
        stack.callback(subprocess.run, ["umount", "--lazy", folder], check=False)
        self.folder, self.filler = folder, folder / "filler"

    def fill(self):
        """Takes every free byte."""
        with open(self.filler, "ab", buffering=0) as filler:
            for size in (1 << 16, 1 << 12, 1 << 8, 1):
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self):
        self.filler.unlink(missing_ok=True)


class Proof:
    def __init__(self, serinus, fleet, disk):
        self.serinus, self.fleet, self.disk = serinus, fleet, disk
        self.models = []
        self.counts = collections.Counter()
        self.answers = collections.Counter()
        self.slowest_seconds = 0.0
        self.numbers = itertools.count(1)
        self.unrecorded = []  # those whose first call met a full disk
        self.recoveries = []  # seconds

    def ask(self, method, path, body=None):
        began_at = time.monotonic()
        try:
            answer = self.serinus.ask(method, path, body)
        except proving.Unanswered as error:
            self.serinus.require_running()
            raise Contradiction(f"not answered, though Serinus was up: {error}") from error
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began_at)
        return answer

    def new(self, pipeline="short", **canary):
        """A model of a rollout that is not started yet, with a canary of its own."""
        key = f"key-{next(self.numbers)}"
        self.fleet.canary(key, **canary)
        return Model(pipeline, STAGES, key, CONTROL, {"canary": key})

    def body(self, model):
        return {"key": model.key, **model.populations}

    def start(self, model, advance="automatic"):
        """Starts it where that is possible; returns the answer."""
        body = {**self.body(model), "pipeline": model.pipeline, "advance": advance}
        answer = self.ask("POST", "/v1/rollouts", body)
        if answer.status in (200, 201):
            model.started(answer.json()["rollout"])
            self.models.append(model)
        return answer

    def begin(self, model):
        """Starts one, which has to be possible."""
        answer = self.start(model, "caller")
        model.require(
            answer.status == 201, f"a start is answered with {answer.status} {answer.content}"
        )

    def call(self, model):
        """The first call of its gate; returns what is told."""
        answer = self.ask("POST", gate_path(model.pipeline, STAGES[0]), self.body(model))
        model.require(answer.status == 200, f"its gate answers {answer.status} {answer.content}")
        told = answer.json()
        if "rollout" in told:
            model.started(told["rollout"])
            self.models.append(model)
        return told

    def gate(self, model, stage=STAGES[0]):
        told, _ = ask_gate(self.ask, model, stage)
        self.answers[told["verdict"], told["reason_code"]] += 1
        return told["verdict"], told["reason_code"]

    def is_shown(self, model):
        """Whether it holds only because its stage is not over."""
        self.look(model)
        decisions = model.decisions()
        return (
            len(decisions) > 1 and (decisions[-1]["verdict"], decisions[-1]["reason_code"]) == SHOWN
        )

    def look(self, model):
        ask_state(self.ask, model)
        ask_trail(self.ask, model)

    def until(self, sentence, seconds, predicate):
        """Waits for something to come true; returns how long that took."""
        began_at = time.monotonic()
        while not predicate():
            if time.monotonic() > began_at + seconds:
                raise Contradiction(f"{sentence}: not within {seconds:.0f} s")
            time.sleep(POLL_SECONDS / 2)
        return time.monotonic() - began_at

    def store_problem(self):
        """What /readyz says of the store; nothing when it is well."""
        checks = {check["name"]: check for check in self.ask("GET", "/readyz").json()["checks"]}
        return None if checks["store"]["ok"] else checks["store"]["message"]

    def fill(self):
        """Fills the disk, and the room that the store has left in its own files: until neither the
        smallest change nor a start can be recorded. What was accepted meanwhile counts. SQLite may
        use its log again from the beginning as soon as nobody reads from it, so one refusal is not
        yet the end."""
        victim = self.new("long")
        self.begin(victim)
        self.disk.fill()
        while self.change(victim, "override", {"verdict": ROLLBACK}) or self.is_start_accepted():
            self.counts["changes accepted on a full disk"] += 1
            self.disk.fill()
        ask_trail(self.ask, victim)

    def is_start_accepted(self):
        answer = self.start(self.new(), "caller")
        if answer.status != 201:
            require_store_problem(answer, "POST /v1/rollouts")
        return answer.status == 201

    def change(self, model, name, body):
        """Changes a rollout where that can be recorded; says whether it was."""
        kind, reason = (
            {"override": "overridden", "cancel": "cancelled"}[name],
            f"proof {next(self.numbers)}",
        )
        change = model.change(
            name, lambda event: (event["kind"], event.get("reason")) == (kind, reason)
        )
        answer = self.ask("POST", f"/v1/rollouts/{model.id}/{name}", {**body, "reason": reason})
        change.is_acknowledged = answer.status == 200
        if not change.is_acknowledged:
            require_store_problem(answer, name)
        return change.is_acknowledged


def require_store_problem(answer, what):
    if answer.status != 503 or not answer.is_problem():
        raise Contradiction(
            f"{what} answers {answer.status} {answer.content}, and not a problem with 503"
        )
    problem = answer.json()
    if not (problem.get("type", "").endswith("store-unavailable") and problem.get("detail")):
        raise Contradiction(f"{what} answers a problem that does not name the store: {problem}")


def prepare(proof):
    """The rollouts that are there before the disk is full, each where it is wanted."""
    known = {
        "rolled back": proof.new(error_rate=0.2),
        "passed": proof.new(),
        "steady": proof.new("long"),
        "other": proof.new("long"),
    }
    for model in known.values():
        proof.begin(model)
    proof.until(
        "a bad canary is rolled back", 60, lambda: proof.gate(known["rolled back"])[0] == ROLLBACK
    )
    proof.until("a good canary passes", 60, lambda: proof.gate(known["passed"])[0] == PROMOTE)
    both = [known["steady"], known["other"]]
    proof.until("good canaries are shown", 60, lambda: all(map(proof.is_shown, both)))
    return known


def prepare_turning(proof):
    """Rollouts whose verdicts come when nothing can be recorded any more: two turn bad, one of them
    is not polled meanwhile, and one will pass."""
    turning = {name: proof.new("long") for name in ("turns bad", "turns bad unseen")}
    for model in turning.values():
        proof.begin(model)
    proof.until("good canaries are shown", 60, lambda: all(map(proof.is_shown, turning.values())))
    turning["will pass"] = proof.new()
    proof.begin(turning["will pass"])
    # Its holds are recorded by then, so only the verdict is news.
    proof.until(
        "it holds undecided", 30, lambda: proof.gate(turning["will pass"]) == (HOLD, "undecided")
    )
    return turning


def while_full(proof, known, turning):
    """Everything that is promised for a full disk, for as long as the verdicts take to come."""
    until, seen = time.monotonic() + FULL_SECONDS, collections.Counter()
    changes = [
        ("override", {"verdict": "rollback", "reason": "a proof"}),
        ("advance", {"stage": STAGES[1]}),
        ("cancel", {"reason": "a proof"}),
    ]
    while time.monotonic() < until:
        expect(proof, known["rolled back"], STAGES[0], ROLLBACK, "check_failed")
        expect(proof, known["passed"], STAGES[0], PROMOTE, "passed")
        expect(proof, known["passed"], STAGES[1], HOLD, "store_unavailable")
        expect(proof, known["steady"], STAGES[0], *SHOWN)
        for name in ("turns bad", "will pass"):
            verdict, reason_code = proof.gate(turning[name])
            turning[name].require(verdict == HOLD, f"told {verdict} on a full disk")
            seen[name] += reason_code == "store_unavailable"
        first = proof.new()
        told = proof.call(first)
        first.require(
            (told["verdict"], told["reason_code"]) == (HOLD, "store_unavailable")
            and "rollout" not in told,
            f"a first call on a full disk is answered with {told}",
        )
        proof.unrecorded.append(first)
        refused = proof.new()
        require_store_problem(proof.start(refused), "POST /v1/rollouts")
        proof.unrecorded.append(refused)
        for name, body in changes:
            answer = proof.ask("POST", f"/v1/rollouts/{known['other'].id}/{name}", body)
            require_store_problem(answer, name)
        again = {**proof.body(known["steady"]), "pipeline": "long"}
        answer = proof.ask("POST", "/v1/rollouts", again)
        known["steady"].require(
            answer.status == 200, f"asking for it again answers {answer.status} {answer.content}"
        )
        for model in [*known.values(), *turning.values()]:
            proof.look(model)
        listed = proof.ask("GET", "/v1/rollouts")
        if listed.status != 200 or proof.ask("GET", "/healthz").status != 200:
            raise Contradiction(
                f"the list is answered with {listed.status}, or /healthz is not well"
            )
        seen["readyz"] += "full" in (proof.store_problem() or "")
        seen["rounds"] += 1
        time.sleep(POLL_SECONDS)
    for what in ("turns bad", "will pass", "readyz"):
        if not seen[what]:
            raise Contradiction(f"{what}: the full disk was never told")
    print(
        f"{seen['rounds']} rounds on the full disk: "
        + ", ".join(f"{what} told {seen[what]}" for what in seen)
    )


def tells(proof, model, verdict):
    return proof.gate(model)[0] == verdict


def is_recorded(proof, model):
    return "rollout" in proof.call(model)


def expect(proof, model, stage, verdict, reason_code):
    told = proof.gate(model, stage)
    model.require(
        told == (verdict, reason_code),
        f"its gate of {stage} says {told}, and not {verdict, reason_code}",
    )


def after_full(proof, known, turning):
    """The disk has room again: what could not be recorded is, by itself."""
    proof.disk.free()
    began_at = time.monotonic()
    proof.until(
        "a start is accepted",
        RECOVERS_WITHIN_SECONDS,
        lambda: proof.start(proof.new("long")).status == 201,
    )
    accepted = time.monotonic() - began_at
    # Nobody asks for this one: the worker sees to it.
    unseen = turning["turns bad unseen"]
    proof.until(
        "an unseen rollback is recorded",
        RECOVERS_WITHIN_SECONDS,
        lambda: ask_trail(proof.ask, unseen) or unseen.events[-1]["kind"] == "rolled_back",
    )
    wanted = {"turns bad": ROLLBACK, "turns bad unseen": ROLLBACK, "will pass": PROMOTE}
    for name, verdict in wanted.items():
        model = turning[name]
        proof.until(
            f"{name}: {verdict} is told",
            RECOVERS_WITHIN_SECONDS,
            functools.partial(tells, proof, model, verdict),
        )
    recorded = time.monotonic() - began_at
    proof.until("/readyz is well", RECOVERS_WITHIN_SECONDS, lambda: proof.store_problem() is None)
    ready = time.monotonic() - began_at
    expect(proof, known["rolled back"], STAGES[0], ROLLBACK, "check_failed")
    told = proof.gate(known["passed"], STAGES[1])
    known["passed"].require(
        told[0] == HOLD and told[1] != "store_unavailable", f"its next stage says {told}"
    )
    for model in proof.unrecorded:
        listed = proof.ask("GET", f"/v1/rollouts?pipeline={model.pipeline}&key={model.key}").json()[
            "rollouts"
        ]
        model.require(
            not listed, f"a first call that held with store_unavailable has left {listed}"
        )
        told = proof.call(model)
        model.require(
            told["reason_code"] != "store_unavailable" and "rollout" in told, f"is told {told}"
        )
    for model in proof.models:
        proof.look(model)
    print(
        f"after it was freed: a start was accepted within {accepted:.1f} s, every verdict within "
        f"{recorded:.1f} s, /readyz well within {ready:.1f} s"
    )


def fill_and_free(proof, known, cycles, dice):
    """Again and again, wherever the store's files are just then, with starts all the while."""
    for cycle in range(cycles):
        for _ in range(dice.randrange(6)):
            proof.begin(proof.new(error_rate=dice.choice([None, 0.2])))
        proof.fill()
        ends_at = time.monotonic() + dice.uniform(0.2, 3)
        pending = []
        while time.monotonic() < ends_at:
            model = proof.new()
            told = proof.call(model)
            if "rollout" not in told:
                model.require(
                    (told["verdict"], told["reason_code"]) == (HOLD, "store_unavailable"),
                    f"is told {told}",
                )
                pending.append(model)
            proof.look(dice.choice(proof.models))
            time.sleep(0.1)
        if cycle % 3 == 1:
            kill(proof, "kills on a full disk")
            proof.disk.fill()
            expect(proof, known["rolled back"], STAGES[0], ROLLBACK, "check_failed")
            expect(proof, known["passed"], STAGES[0], PROMOTE, "passed")
        proof.disk.free()
        if cycle % 3 == 2:
            kill(proof, "kills right after it was freed")
        began_at = time.monotonic()
        for model in pending:
            proof.until(
                "a first call is recorded",
                RECOVERS_WITHIN_SECONDS,
                functools.partial(is_recorded, proof, model),
            )
        proof.recoveries.append(time.monotonic() - began_at)
        for model in proof.models:
            proof.look(model)
        proof.counts["times filled and freed"] += 1


def kill(proof, what):
    proof.serinus.kill()
    proof.serinus.start()
    proof.counts[what] += 1


def finish(proof, path, store):
    # Nothing shall move any more.
    for model in proof.models:
        ask_trail(proof.ask, model)
        if model.state == "open":
            model.require(proof.change(model, "cancel", {}), "cannot be cancelled")
            ask_trail(proof.ask, model)
    kill(proof, "kills at the end")
    for model in proof.models:
        proof.look(model)
    same, without = replayed(proof.serinus, store, proof.models)
    proof.serinus.stop()
    proof.counts["decisions computed again, the same to the byte"] = same
    proof.counts["decisions without data"] = without
    proof.counts["events held, all as first read"] = held(path, proof.models)


def prove(stack, options):
    folder = proving.scratch(stack)
    disk = Disk(stack, folder / "disk", options.mebibytes)
    fleet = proving.Fleet(stack, requests_per_second=1000, seed=options.seed)
    prometheus = proving.start_prometheus(stack, folder, [fleet.target])
    path = disk.folder / "serinus.db"
    store = f"sqlite:{path}"
    serinus = proving.Serinus(
        stack, folder, options.binary, prometheus.url, PIPELINES, [f"--store={store}"]
    )
    serinus.start()
    proof = Proof(serinus, fleet, disk)
    try:
        known = prepare(proof)
        turning = prepare_turning(proof)
        proof.fill()
        for name in ("turns bad", "turns bad unseen"):
            fleet.turn(turning[name].key, 0.2)
        while_full(proof, known, turning)
        after_full(proof, known, turning)
        fill_and_free(proof, known, options.cycles, random.Random(options.seed))
        finish(proof, path, store)
    except Contradiction as contradiction:
        proving.fail(f"{contradiction}\n(seed {options.seed})\n{serinus.log_tail(2000)}")
    report(proof)


def report(proof):
    for what, count in sorted(proof.counts.items()):
        print(f"{count:8} {what}")
    for (verdict, reason_code), count in sorted(proof.answers.items()):
        print(f"{count:8} gates answered {verdict}, {reason_code}")
    print(f"{len(proof.models):8} rollouts accepted")
    if proof.recoveries:
        print(f"{max(proof.recoveries):8.1f} s, the slowest recovery")
    print(f"{proof.slowest_seconds:8.3f} s, the slowest answer")
    proving.require(
        proof.slowest_seconds < SLOWEST_SECONDS, "an answer took longer than is promised"
    )
    print("nothing that was answered was lost, changed or contradicted")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cycles", type=int, default=10)
    arguments.add_argument(
        "--mebibytes",
        type=int,
        default=8,
        help="of the disk: some four are used by the store at the end",
    )
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    proving.binary_argument(arguments)
    options = arguments.parse_args()
    print(f"seed {options.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        prove(stack, options)


if __name__ == "__main__":
    main()
