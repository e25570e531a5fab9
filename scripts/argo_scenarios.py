"""What Argo Rollouts' real controllers must come to, on the shipped examples.

The AnalysisTemplate is applied as it ships, its minute of delay and its 30 s between two polls
included; of the Rollout only `polls` is another number where a scenario says so.
Source: docs/design/callers.md, "Argo Rollouts, web".
"""

import json
import math

from callers_world import (
    BAD,
    EXAMPLES,
    GOOD,
    LONGEST_STAGE_MINUTES,
    UNDECIDED,
    replaced,
    states_of,
)

FOLDER = EXAMPLES / "argo-rollouts"
# Where tests/callers/argo applies them.
NAMESPACE = "shop"
# What the template says.
DELAY_SECONDS, POLL_SECONDS, ERROR_SECONDS, ERRORS_TOLERATED = 60, 30, 10, 30
# Beyond the longest duration of a stage, for the polls.
SLACK_MINUTES = 10
# One stage that promotes at its second poll, with time to spare for a busy machine.
STAGE_SECONDS = DELAY_SECONDS + 4 * POLL_SECONDS


def deploy(scenario, error_rate=GOOD, polls=None, has_secret=True, **pipeline):
    """Applies the examples, waits for the first version, and deploys another. Returns its hash."""
    scenario.start_serinus(**pipeline)
    rollout = (FOLDER / "rollout.yaml").read_text()
    if polls:
        rollout = replaced(rollout, ('value: "260"', f'value: "{polls}"'))
    arguments = [f"-template={FOLDER}/analysis-template.yaml"]
    arguments += [f"-rollout={scenario.write('rollout.yaml', rollout)}"]
    if has_secret:
        secret = (FOLDER / "secret.yaml").read_text()
        secret = replaced(secret, ("replace-me", scenario.tokens["gate"]))
        arguments.append(f"-secret={scenario.write('secret.yaml', secret)}")
    arguments.append(f"-leads-to=127.0.0.1:{scenario.serinus.port}")
    scenario.start_controller("argo", *arguments)
    healthy = scenario.until(
        "the first version is healthy",
        60,
        lambda state: state["phase"] == "Healthy" and state["stable"] == state["current"] != "",
    )
    stable = healthy["stable"]
    scenario.pods("stable", labels_of(stable), GOOD)
    scenario.tell("/image", f"registry.example/checkout:2.0.0-{scenario.name.replace(' ', '-')}")
    updated = scenario.until(
        "the new version has a hash", 20, lambda state: state["current"] not in ("", stable)
    )
    canary = updated["current"]
    scenario.pods("canary", labels_of(canary), error_rate)
    # The same version in another namespace, where it is not in order: somebody else's.
    scenario.pods("elsewhere", {**labels_of(canary), "namespace": "elsewhere"}, BAD)
    return canary


def labels_of(hash_of_pods):
    return {"namespace": NAMESPACE, "rollouts_pod_template_hash": hash_of_pods}


def runs(state, phase=None):
    return [run for run in state["runs"] or [] if phase in (None, run["phase"])]


def is_promoted(canary):
    return lambda state: state["phase"] == "Healthy" and state["stable"] == canary


def has_measured(state):
    return any(run["measured"] for run in runs(state))


def good(scenario):
    canary = deploy(scenario)
    state = scenario.until(
        "the good version is promoted", 2 * STAGE_SECONDS + 30, is_promoted(canary)
    )
    told = [(run["stage"], run["phase"], run["errors"]) for run in runs(state)]
    scenario.require(
        told == [("stage_1", "Successful", 0), ("stage_2", "Successful", 0)],
        f"both stages are successful without an error: {told}",
    )
    rollout = scenario.the_rollout()
    scenario.require(
        rollout["key"] == f"{NAMESPACE}/{canary}.2",
        "the key is the namespace, the hash and the revision",
    )
    scenario.require(rollout["state"] == "promoted", "Serinus says promoted")


def bad(scenario):
    canary = deploy(scenario, BAD)
    state = scenario.until("the bad version aborts", STAGE_SECONDS, lambda state: state["aborted"])
    scenario.require(len(runs(state, "Failed")) == 1, "the analysis of stage_1 has failed")
    value = runs(state)[0]["measured"][-1].removeprefix("Failed ")
    gate = json.loads(value)
    scenario.require("error_rate" in gate["reason"], f"the value tells why: {value}")
    scenario.require(
        not any(sign in value for sign in ("\\u003c", "\\u003e", "\\u0026")),
        "the value can be read in the dashboard",
    )
    scenario.require(state["stable"] != canary, "the stable version stays")
    scenario.require(scenario.the_rollout()["state"] == "rolled_back", "Serinus says rolled back")


def polls_run_out(scenario):
    """Undecided with few polls: a pause, and what `kubectl argo rollouts promote` makes of it."""
    deploy(scenario, UNDECIDED, polls=4)
    state = scenario.until(
        "the undecided version pauses when its polls run out",
        DELAY_SECONDS + 5 * POLL_SECONDS,
        lambda state: "InconclusiveAnalysisRun" in (state["pauses"] or []),
    )
    scenario.require(not state["aborted"], "it is not aborted")
    scenario.require(
        [(run["phase"], run["inconclusive"]) for run in runs(state)] == [("Inconclusive", 4)],
        "four holds were inconclusive",
    )
    scenario.require(scenario.the_rollout()["state"] == "open", "Serinus goes on judging")
    scenario.tell("/promote")
    scenario.until(
        "after promote the gate of stage_2 is asked: that of stage_1 was skipped",
        DELAY_SECONDS + POLL_SECONDS,
        lambda state: runs(state)[-1]["stage"] == "stage_2" and runs(state)[-1]["measured"],
    )
    stages = states_of(scenario.the_rollout())
    scenario.require(stages["stage_1"] == "left", f"stage_1 is left and has not passed: {stages}")


def undecided(scenario):
    """Undecided with the polls of the example: it waits, and neither pauses nor aborts."""
    deploy(scenario, UNDECIDED)
    scenario.until("it is asked", DELAY_SECONDS + POLL_SECONDS, has_measured)
    scenario.throughout(
        "it waits",
        4 * POLL_SECONDS,
        lambda state: not (state["aborted"] or state["pauses"] or runs(state, "Successful")),
    )
    scenario.require(runs(scenario.state())[0]["errors"] == 0, "without an error")


def on_inconclusive(scenario):
    """Polls by the formula of the example are more than an undecided stage takes to end."""
    polls = math.ceil((LONGEST_STAGE_MINUTES + SLACK_MINUTES) * 60 / POLL_SECONDS)
    deploy(scenario, UNDECIDED, polls, on_inconclusive="rollback", has_longest=True)
    state = scenario.until(
        "the undecided version aborts when its stage ends",
        DELAY_SECONDS + LONGEST_STAGE_MINUTES * 60 + 3 * POLL_SECONDS,
        lambda state: state["aborted"],
    )
    run = runs(state)[0]
    scenario.require(
        run["phase"] == "Failed" and run["inconclusive"] < polls,
        f"by a rollback of Serinus after {run['inconclusive']} of {polls} polls",
    )
    scenario.require(scenario.the_rollout()["state"] == "rolled_back", "Serinus says rolled back")


def killed(scenario):
    canary = deploy(scenario)
    scenario.until("it is asked", DELAY_SECONDS + POLL_SECONDS, has_measured)
    before = scenario.the_rollout()
    scenario.serinus.kill()
    scenario.say("Serinus was killed")
    scenario.serinus.start()
    state = scenario.until(
        "the good version is promoted", 2 * STAGE_SECONDS + 30, is_promoted(canary)
    )
    scenario.require(len(runs(state, "Successful")) == 2, "both stages are successful")
    after = scenario.the_rollout()
    scenario.require(after["rollout"] == before["rollout"], "it is the same rollout")


def down(scenario):
    deploy(scenario)
    scenario.until("it is asked", DELAY_SECONDS + POLL_SECONDS, has_measured)
    scenario.serinus.stop()
    scenario.say("Serinus is down")
    seconds = ERRORS_TOLERATED * ERROR_SECONDS
    scenario.throughout("an outage of 4 minutes costs nothing", 240, lambda s: not s["aborted"])
    state = scenario.until(
        "after 5 minutes it aborts", seconds - 240 + 2 * POLL_SECONDS, lambda s: s["aborted"]
    )
    run = runs(state)[0]
    scenario.require(
        (run["phase"], run["errors"]) == ("Error", ERRORS_TOLERATED + 1),
        f"the 31st refusal in a row is one too many: {run['errors']}",
    )


def missing_secret(scenario):
    deploy(scenario, has_secret=False)
    state = scenario.until("without the Secret it aborts", 60, lambda state: state["aborted"])
    scenario.require(runs(state)[0]["phase"] == "Error", "the analysis is an error")
    scenario.require(scenario.rollouts() == [], "Serinus was never asked")


SCENARIOS = {
    "good": good,
    "bad": bad,
    "undecided": undecided,
    "polls": polls_run_out,
    "on_inconclusive": on_inconclusive,
    "killed": killed,
    "down": down,
    "missing secret": missing_secret,
}
