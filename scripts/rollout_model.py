"""What a client knows of one rollout, and what no later answer may contradict.

A `Model` takes in every answer about a rollout, in the order in which one client read them, and
raises `Contradiction` for the first that does not go with those before: another id or population, a
verdict that was taken back, a state that reverted, an event that is gone, changed or out of place,
a verdict or an acknowledged change that the trail does not know.

The functions below it ask over HTTP by an `ask(method, path, body=None)` and hand what comes to the
model; `replayed` and `held` look at what is on the disk in the end.

Whoever changes the rollout reads the trail next, before anything else: only the trail tells whether
a change whose answer was lost has happened (`change`, then `acknowledged` or not, then `read`).
"""

import contextlib
import json
import sqlite3
import urllib.parse

HOLD, PROMOTE, ROLLBACK = "hold", "promote", "rollback"

# What may follow in a trail, by the state that the rollout has come into.
FOLLOWS = {
    "open": {
        "stage_started",
        "stage_left",
        "weight_unknown",
        "decided",
        "stage_passed",
        "promoted",
        "rolled_back",
        "overridden",
        "cancelled",
        "superseded",
        "closed",
    },
    "promoted": {"cancelled", "closed"},
    "rolled_back": {"overridden", "cancelled", "closed"},
    "cancelled": set(),
    "superseded": {"closed"},
    "closed": set(),
}
OVER = set(FOLLOWS) - {"open"}

# What a decision does at once, where it acts.
EFFECTS = {PROMOTE: "stage_passed", ROLLBACK: "rolled_back"}

# What of a rollout never changes.
CONSTANTS = (
    "rollout",
    "pipeline",
    "key",
    "attempt",
    "control",
    "canary",
    "created",
    "advance",
)


class Contradiction(Exception):
    """Two answers cannot both be true."""


class Change:
    """A change that the client asks for; `is_in` finds it in the trail."""

    def __init__(self, kind, is_in):
        self.kind, self.is_in = kind, is_in
        self.is_acknowledged = False
        self.has_happened = None


class Model:
    def __init__(self, pipeline, stages, key, control, canary):
        self.pipeline, self.stages, self.key = pipeline, stages, key
        self.populations = {"control": control, "canary": canary}
        self.id = None
        self.state = "open"
        self.constants = None
        self.place = 0
        self.passed = {}  # when a stage was shown to have passed
        self.verdicts = {}  # by stage: the last verdict told but hold
        self.trail, self.events = [], []  # each event's text as it came, and as read
        self.owed = []  # what the next trail must hold: (sentence, predicate)
        self.changes = []  # sent, and not held against the trail yet

    def require(self, condition, sentence):
        if not condition:
            last = "\n".join(text[:300] for text in self.trail[-8:])
            raise Contradiction(
                f"rollout {self.id} (key {self.key}): {sentence}\nits trail ends with\n{last}"
            )

    def started(self, rollout):
        """A start, or a gate's call, was answered with this id."""
        self.require(rollout, "a start was answered without the id of the rollout")
        self.require(self.id in (None, rollout), f"a call with its key is answered for {rollout}")
        self.id = rollout

    def change(self, kind, is_in):
        """Announces a change before it is asked for."""
        change = Change(kind, is_in)
        self.changes.append(change)
        return change

    def told(self, stage, verdict, reason_code):
        """A gate has told a verdict. Says whether it is news."""
        if self.state == "rolled_back":
            self.require(
                verdict == ROLLBACK, f"was rolled back, and the gate of {stage} says {verdict}"
            )
        if self.state == "promoted":
            self.require(
                verdict == PROMOTE or reason_code == "left",
                f"was promoted, and the gate of {stage} says {verdict}",
            )
        if reason_code in ("shadow_stage", "dry_run"):
            self.require(
                verdict != ROLLBACK, f"{stage} is judged without acting, and its gate says rollback"
            )
        if self.verdicts.get(stage) == PROMOTE:
            self.require(verdict != HOLD, f"{stage} was promoted, and its gate says hold")
        if verdict == ROLLBACK:
            self.owe("a rollback was told", lambda event: event["kind"] == "rolled_back")
            self.state = "rolled_back"
        if verdict == ROLLBACK and self.verdicts.get(stage) == PROMOTE:
            # Then it was found at its own traffic before the next began, at a later one, or we.
            self.owe(
                f"{stage} was promoted, and then rolled back for an earlier stage",
                lambda event: (
                    event["kind"] == "rolled_back"
                    and (event["caused_by"] != "judge" or self.at(event["stage"]) >= self.at(stage))
                ),
            )
        if verdict == PROMOTE:
            self.owe(
                f"a promote of {stage} was told",
                lambda event: (
                    event["kind"] == "promoted"
                    or (event["kind"] == "stage_passed" and event["stage"] == stage)
                ),
            )
        if (
            verdict != ROLLBACK
            and reason_code not in ("store_unavailable", "not_reached")
            and self.at(stage) > self.place
        ):
            self.owe(
                f"the gate of {stage} was asked, which moves it there",
                lambda event: (
                    event["stage"] == stage and event["kind"] in ("started", "stage_started")
                ),
            )
        is_news = verdict != HOLD and self.verdicts.get(stage) != verdict
        if is_news:
            self.verdicts[stage] = verdict
        return is_news

    def owe(self, sentence, predicate):
        self.owed.append((sentence, predicate))

    def at(self, stage):
        return self.stages.index(stage)

    def shown(self, rollout):
        """The state was shown."""
        constants = {name: rollout[name] for name in CONSTANTS}
        self.require(
            self.constants in (None, constants), f"was {self.constants}, and is {constants}"
        )
        self.constants = constants
        expected = {
            "rollout": self.id,
            "pipeline": self.pipeline,
            "key": self.key,
            **self.populations,
        }
        for name, value in expected.items():
            self.require(
                constants[name] == value, f"its {name} is {constants[name]}, and was {value}"
            )
        state = rollout["state"]
        self.require(self.state in ("open", state), f"was {self.state}, and is {state}")
        if state in OVER:
            self.owe(f"it was shown as {state}", lambda event: event["kind"] == state)
        self.state = state
        place = self.at(rollout["stage"])
        self.require(
            place >= self.place, f"was at {self.stages[self.place]}, and is at {rollout['stage']}"
        )
        self.place = place
        passed = {
            stage["stage"]: stage["passed"] for stage in rollout["stages"] if "passed" in stage
        }
        for stage, when in self.passed.items():
            now = passed.get(stage)
            is_same = now == when or (now and self.was_overridden())
            self.require(is_same, f"{stage} passed at {when}, and now at {now}")
        self.passed = passed

    def was_overridden(self):
        return any(event["kind"] == "overridden" for event in self.events)

    def read(self, content):
        """The whole trail was read."""
        trail = event_texts(content)
        for number, text in enumerate(self.trail):
            now = trail[number] if number < len(trail) else "gone"
            self.require(now == text, f"event {number + 1} was\n{text}\nand is\n{now}")
        events = [json.loads(text) for text in trail]
        for number, event in enumerate(events, 1):
            self.require(
                event["sequence"] == number, f"event {number} has the number {event['sequence']}"
            )
        self.trail, self.events = trail, events
        state = self.state_of_trail()
        for sentence, predicate in self.owed:
            self.require(
                any(predicate(event) for event in events),
                f"{sentence}, and the trail does not hold it",
            )
        self.owed = []
        changed = False
        for change in self.changes:
            count = sum(map(change.is_in, events))
            self.require(count <= 1, f"one {change.kind} is in the trail {count} times")
            is_missing = change.is_acknowledged and not count
            self.require(
                not is_missing, f"the {change.kind} was acknowledged, and is not in the trail"
            )
            change.has_happened = bool(count)
            changed = changed or change.has_happened
        self.changes = []
        self.require(
            changed or self.state in ("open", state),
            f"was {self.state}, and its trail leads to {state}",
        )
        self.state = state

    def state_of_trail(self):
        """Holds the trail against the rules by which a rollout goes on; returns where it leads."""
        self.require(
            self.events and self.events[0]["kind"] == "started", "its first event is not its start"
        )
        state, passed, place = "open", set(), self.at(self.events[0]["stage"])
        for number, event in enumerate(self.events[1:], 2):
            kind, stage = event["kind"], event["stage"]
            self.require(
                kind in FOLLOWS[state], f"event {number} is {kind}, and it was {state} before"
            )
            if kind == "stage_started":
                self.require(self.at(stage) > place, f"event {number} goes back to {stage}")
                place = self.at(stage)
            elif kind == "stage_left":
                self.require(
                    stage not in passed, f"event {number} leaves {stage}, which has passed"
                )
            elif kind == "decided":
                self.require(
                    stage not in passed or event["verdict"] == ROLLBACK,
                    f"event {number} decides {event['verdict']} of {stage}, which has passed",
                )
                self.require(
                    self.at(stage) == place, f"event {number} decides {stage}, where it is not"
                )
                effect = EFFECTS.get(event["verdict"])
                if effect and event.get("acted") is not False:
                    after = self.events[number]["kind"] if number < len(self.events) else "nothing"
                    self.require(
                        after == effect,
                        f"event {number} decides {event['verdict']}, and {after} follows",
                    )
            elif kind == "stage_passed":
                self.require(
                    stage not in passed or event["caused_by"] != "judge", f"{stage} passes twice"
                )
                passed.add(stage)
            elif kind == "overridden":
                state = "open"
            elif kind in OVER:
                state = kind
        return state

    def decisions(self):
        return [event for event in self.events if event["kind"] == "decided"]


def event_texts(content):
    """The text of each event of a list of events, byte for byte as it came."""
    text = content.decode()
    opening = '"events":['
    place = text.index(opening) + len(opening)
    decoder, texts = json.JSONDecoder(), []
    while text[place] != "]":
        _, end = decoder.raw_decode(text, place)
        texts.append(text[place:end])
        place = end + 1 if text[end] == "," else end
    return texts


def gate_path(pipeline, stage):
    return f"/v1/pipelines/{pipeline}/stages/{stage}/gate"


def ask_gate(ask, model, stage, by_post=False):
    """Asks the gate of a rollout that is known. Returns what it told, and whether that is news."""
    path = gate_path(model.pipeline, stage)
    if by_post:
        answer = ask("POST", path, {"key": model.key})
    else:
        answer = ask("GET", f"{path}?{urllib.parse.urlencode({'key': model.key})}")
    model.require(answer.status == 200, f"its gate answers {answer.status} {answer.content}")
    told = answer.json()
    model.require(
        told["gate"]["verdict"] == told["verdict"], f"the gate says two verdicts: {answer.content}"
    )
    if told["reason_code"] != "store_unavailable" or "rollout" in told:
        model.started(told.get("rollout"))
    return told, model.told(stage, told["verdict"], told["reason_code"])


def ask_state(ask, model):
    answer = ask("GET", f"/v1/rollouts/{model.id}")
    model.require(
        answer.status == 200, f"its state is answered with {answer.status} {answer.content}"
    )
    model.shown(answer.json())


def ask_trail(ask, model):
    answer = ask("GET", f"/v1/rollouts/{model.id}/events")
    model.require(
        answer.status == 200, f"its trail is answered with {answer.status} {answer.content}"
    )
    model.read(answer.content)


def replayed(serinus, store, models):
    """Computes every decision again. Returns how many are the same to the byte, and how many were
    made without data: nothing could be asked for, so they hold and there is nothing to compute."""
    same, without = 0, 0
    for model in models:
        result = serinus.run("replay", model.id, f"--store={store}", "--output=json")
        model.require(result.returncode in (0, 1), f"cannot be replayed: {result.stderr}")
        again = {one["sequence"]: one for one in json.loads(result.stdout)}
        for event in model.decisions():
            number = event["sequence"]
            if "analysis" in event:
                one = again.get(number)
                model.require(one and one["is_same"], f"event {number} computed again is {one}")
                same += 1
            else:
                model.require(event["verdict"] == HOLD, f"event {number} decides without data")
                without += 1
    return same, without


def held(path, models):
    """Holds the file of the store, which nobody uses, against what was read: SQLite finds it sound,
    and it has these rollouts with these events and no others. Returns how many events."""
    with contextlib.closing(sqlite3.connect(path)) as store:
        for check, good in (("integrity_check", [("ok",)]), ("foreign_key_check", [])):
            found = store.execute(f"PRAGMA {check}").fetchall()
            if found != good:
                raise Contradiction(f"PRAGMA {check} says {found}")
        rollouts = dict(store.execute("SELECT id, event_count FROM rollouts"))
        stored = dict(store.execute("SELECT rollout_id, COUNT(*) FROM events GROUP BY rollout_id"))
    read = {model.id: len(model.trail) for model in models}
    if not rollouts == stored == read:
        raise Contradiction(
            f"the file counts {rollouts} events, holds {stored}, and {read} were read"
        )
    return sum(read.values())
