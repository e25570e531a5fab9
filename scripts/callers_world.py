"""The world of `prove-callers.py`: pods that Prometheus scrapes, Serinus, a caller's controller.

A scenario has a Serinus of its own and a controller of its own; the Prometheus is everybody's, and
the label `scenario` keeps the series apart. What a controller is told, and what it tells, is in
`tests/callers/*/control.go`.
"""

import hashlib
import http.client
import json
import secrets
import threading
import time

import proving

EXAMPLES = proving.ROOT / "examples"
REQUESTS_PER_SECOND = 100
# Against the limits of the pipeline below: fine, beyond the kill switch, at the limit itself.
GOOD, BAD, UNDECIDED = 0.02, 0.4, 0.1
STAGE_MINUTES = 0.4
# Of a state, in a line.
SHOWN_CHARACTERS = 300
# Of an undecided stage, where a scenario waits for its end.
LONGEST_STAGE_MINUTES = 1

PIPELINE = """
name: checkout
metrics:
  error_rate:
    errors: 'http_requests_total{scenario="SCENARIO",code=~"5.."}'
    total: 'http_requests_total{scenario="SCENARIO"}'
analysis: {history: off, interval: 2s, lag: 2s, split_check: off, on_inconclusive: ON_INCONCLUSIVE}
kill_switch: [error_rate > 25%]
canary_pipeline:
  stage_1: {traffic_percent: 10, duration_minutes: MINUTES, LONGEST metrics: [error_rate < 10%]}
  stage_2: {traffic_percent: 50, duration_minutes: MINUTES, LONGEST metrics: [error_rate < 10%]}
"""


class Even:
    """Dice without luck: every second has as many requests and failures as are expected."""

    @staticmethod
    def gauss(mean, _spread):
        return mean


class Pods(proving.Fleet):
    """The pods of all scenarios: tracks by name, each with the labels and the metric of its own."""

    def __init__(self, stack):
        self.described = {}
        super().__init__(stack, REQUESTS_PER_SECOND, GOOD)
        self.dice = Even()

    def add(self, name, labels, error_rate, metric="http_requests_total", code="code"):
        """Adds a track; one that is there already goes on as it is."""
        if name in self.described:
            return
        self.canary(name, error_rate)
        self.described[name] = (metric, code, labels)

    def exposition(self):
        now = time.monotonic()
        lines = {}
        with self.lock:
            for name, (metric, code_label, labels) in list(self.described.items()):
                track = self.tracks[name]
                track.count_until(now, self.dice)
                for code, count in ((200, track.served - track.failed), (500, track.failed)):
                    all_labels = {**labels, code_label: code}
                    text = ",".join(f'{label}="{value}"' for label, value in all_labels.items())
                    lines.setdefault(metric, []).append(f"{metric}{{{text}}} {count}")
        families = ([f"# TYPE {metric} counter", *found] for metric, found in lines.items())
        return "\n".join([*(line for family in families for line in family), ""])


class World:
    """What all scenarios share, and what makes a scenario's own."""

    def __init__(self, stack, folder, binary, programs):
        self.folder, self.binary, self.programs = folder, binary, programs
        self.pods = Pods(stack)
        self.prometheus = proving.start_prometheus(stack, folder, [self.pods.target])
        self.printing = threading.Lock()
        self.began_at = time.monotonic()

    def say(self, scenario, text):
        with self.printing:
            seconds = time.monotonic() - self.began_at
            print(f"{seconds:6.1f} s  {scenario:26} {text}", flush=True)

    def scenario(self, stack, name):
        return Scenario(self, stack, name)


class Scenario:
    """One run of a caller against a Serinus of its own."""

    def __init__(self, world, stack, name):
        self.world, self.stack, self.name = world, stack, name
        self.folder = world.folder / name.replace(" ", "-")
        self.folder.mkdir()
        self.tokens = {scope: secrets.token_hex(20) for scope in ("gate", "all")}
        self.serinus = self.controller = None
        self.shown = {}

    def say(self, text):
        self.world.say(self.name, text)

    def start_serinus(self, on_inconclusive="hold", has_longest=False):
        longest = f"max_duration_minutes: {LONGEST_STAGE_MINUTES}," if has_longest else ""
        pipeline = (
            PIPELINE.replace("SCENARIO", self.name)
            .replace("ON_INCONCLUSIVE", on_inconclusive)
            .replace("MINUTES", str(STAGE_MINUTES))
            .replace("LONGEST", longest)
        )
        tokens = self.write("tokens.yaml", "".join(map(self.entry, self.tokens)))
        self.serinus = proving.Serinus(
            self.stack,
            self.folder,
            self.world.binary,
            self.world.prometheus.url,
            {"checkout": pipeline},
            [f"--store=sqlite:{self.folder}/serinus.db", f"--tokens={tokens}"],
        )
        self.serinus.start()

    def entry(self, scope):
        digest = hashlib.sha256(self.tokens[scope].encode()).hexdigest()
        return f'- {{name: {scope}, sha256: "{digest}", scopes: [{scope}]}}\n'

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def ask(self, path):
        """What Serinus answers a person, as JSON."""
        headers = {"Authorization": f"Bearer {self.tokens['all']}"}
        answer = proving.ask(self.serinus.port, "GET", path, headers=headers)
        proving.require(answer.status == 200, f"{path} is {answer.status}: {answer.content}")
        return answer.json()

    def rollouts(self):
        """All rollouts with all that is told of them, the oldest first."""
        listed = self.ask("/v1/rollouts")["rollouts"]
        listed.sort(key=lambda one: one["created"])
        return [self.ask(f"/v1/rollouts/{one['rollout']}") for one in listed]

    def the_rollout(self):
        found = self.rollouts()
        proving.require(len(found) == 1, f"there are {len(found)} rollouts and not one")
        return found[0]

    def trail(self, rollout):
        return self.ask(f"/v1/rollouts/{rollout['rollout']}/events")["events"]

    def pods(self, name, labels, error_rate):
        self.world.pods.add(f"{self.name} {name}", {"scenario": self.name, **labels}, error_rate)

    def turn(self, name, error_rate):
        self.world.pods.turn(f"{self.name} {name}", error_rate)

    def start_controller(self, program, *arguments):
        port = proving.free_port()
        command = [self.world.programs[program], "-listen", f"127.0.0.1:{port}", *arguments]
        log = self.folder / f"{program}.log"
        self.controller = proving.Process(self.stack, program, command, port, "/state", log)
        self.controller.start()

    def tell(self, path, text=""):
        """Tells the controller what happens in the cluster."""
        connection = http.client.HTTPConnection("127.0.0.1", self.controller.port, timeout=10)
        connection.request("POST", path, text)
        proving.require(connection.getresponse().status == 200, f"{path} of the controller failed")
        connection.close()
        self.say(f"{path.strip('/')} {text}")

    def state(self):
        return proving.ask(self.controller.port, "GET", "/state").json()

    def until(self, expectation, seconds, holds):
        """Waits until something holds of the controller's state; returns that state."""
        deadline = time.monotonic() + seconds
        while True:
            state = self.state()
            self.show(state)
            if holds(state):
                return state
            if time.monotonic() > deadline:
                self.unmet(f"not within {seconds} s: {expectation}", state)
            time.sleep(0.2)

    def throughout(self, expectation, seconds, holds):
        """Holds the controller's state against something that must not change."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.state()
            self.show(state)
            if not holds(state):
                self.unmet(f"not throughout {seconds} s: {expectation}", state)
            time.sleep(0.2)

    def show(self, state):
        """Prints what has changed."""
        changed = {field: value for field, value in state.items() if self.shown.get(field) != value}
        self.shown = state
        if changed:
            self.say(json.dumps(changed)[:SHOWN_CHARACTERS])

    def unmet(self, sentence, state):
        proving.fail(f"{sentence}\n  the controller: {json.dumps(state)}")

    def require(self, condition, expectation):
        proving.require(condition, expectation)
        self.say(f"holds: {expectation}")


def replaced(text, *pairs):
    """A text with other values in some places, each of which has to be there."""
    for old, new in pairs:
        proving.require(old in text, f"the example has no {old!r}")
        text = text.replace(old, new)
    return text


def states_of(rollout):
    """How far each stage of a rollout is."""
    return {stage["stage"]: stage["state"] for stage in rollout["stages"]}
