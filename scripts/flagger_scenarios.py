"""What Flagger's real controller must come to, on the shipped example.

The example is applied with the address of Serinus and a tick of 10 s, the least that Flagger takes,
in place of a minute; further changes are named by the scenario.
Source: docs/design/callers.md, "Flagger".
"""

import datetime
import time

from callers_world import BAD, EXAMPLES, GOOD, STAGE_MINUTES, UNDECIDED, replaced, states_of

TICK_SECONDS = 10
STAGE_SECONDS = STAGE_MINUTES * 60
# A stage is judged on the interval after its end, and told at the tick after that.
SOON_SECONDS = STAGE_SECONDS + 3 * TICK_SECONDS
# From a new image to the first weight, and from the last stage to the end.
BEGIN_SECONDS, END_SECONDS = 5 * TICK_SECONDS, 6 * TICK_SECONDS
WHOLE_SECONDS = BEGIN_SECONDS + 2 * SOON_SECONDS + END_SECONDS
# How much later than the controller a scenario may notice something.
NOTICED_WITHIN_SECONDS = 2
IMAGE = "registry.example/checkout:{}"
WEIGHTS = "    stepWeights: [10, 50]\n"
EVENT = """      # Tells the weight that was really written, and that another revision came.
      - name: serinus-event
        type: event
        url: http://serinus.serinus:8080/adapters/flagger/checkout/event
        timeout: 5s
"""
PROMOTION = """/promotion
        timeout: 5s
        retries: 1
        muteAlert: true
        metadata:
"""


def deploy(scenario, error_rate=GOOD, changes=()):
    """Applies the example, waits for the first version, and deploys another."""
    scenario.start_serinus()
    server = f"http://flagger:{scenario.tokens['gate']}@127.0.0.1:{scenario.serinus.port}"
    example = replaced(
        (EXAMPLES / "flagger" / "canary.yaml").read_text(),
        *changes,
        ("http://serinus.serinus:8080", server),
        ("interval: 1m\n    threshold", f"interval: {TICK_SECONDS}s\n    threshold"),
    )
    scenario.start_controller(
        "flagger",
        f"-manifest={scenario.write('canary.yaml', example)}",
        f"-prometheus={scenario.world.prometheus.url}",
    )
    scenario.until("the canary is initialized", 60, lambda state: state["phase"] == "Initialized")
    scenario.pods("primary", {"namespace": "shop", "app": "checkout-primary"}, GOOD)
    scenario.pods("canary", {"namespace": "shop", "app": "checkout"}, error_rate)
    # The same service in another namespace, where it is not in order: somebody else's.
    scenario.pods("elsewhere", {"namespace": "elsewhere", "app": "checkout"}, BAD)
    # What Flagger's own metric reads, the net of the example: always fine here.
    of_mesh = {
        "reporter": "destination",
        "destination_workload_namespace": "shop",
        "destination_workload": "checkout",
    }
    scenario.world.pods.add("mesh", of_mesh, 0.01, "istio_requests_total", "response_code")
    scenario.tell("/image", IMAGE.format("2.0.0"))


def is_over(state):
    return state["phase"] in ("Succeeded", "Failed")


def has_weight(weight):
    return lambda state: state["weight"] == weight or is_over(state)


def reach(scenario, weight, seconds):
    state = scenario.until(f"weight {weight}", seconds, has_weight(weight))
    scenario.require(state["weight"] == weight, f"the traffic takes weight {weight}")
    return time.time()


def succeed(scenario, image, seconds=END_SECONDS + SOON_SECONDS):
    state = scenario.until("the end", seconds, is_over)
    scenario.require(state["phase"] == "Succeeded", "the good version is promoted")
    scenario.require(state["primary_image"] == IMAGE.format(image), "the primary has it")
    scenario.require(state["failed_checks"] == 0, "no check was counted as failed")


def fail(scenario, seconds):
    state = scenario.until("the end", seconds, is_over)
    scenario.require(state["phase"] == "Failed", "the bad version is rolled back")
    scenario.require(state["primary_image"] == IMAGE.format("1.0.0"), "the primary is as before")


def kinds(scenario, rollout):
    return [event["kind"] for event in scenario.trail(rollout)]


def seconds_of(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def require_judged(scenario, rollout, stage, since=None):
    """A stage passed after its whole duration, and began no earlier than it could."""
    found = next(one for one in rollout["stages"] if one["stage"] == stage)
    scenario.require(found["state"] == "passed", f"{stage} has passed: {states_of(rollout)}")
    began, ended = seconds_of(found["started"]), seconds_of(found["passed"])
    scenario.require(
        ended - began >= STAGE_SECONDS, f"{stage} was judged for {ended - began:.1f} s"
    )
    if since is not None:
        late = began - since
        scenario.require(
            late >= -NOTICED_WITHIN_SECONDS, f"{stage} began {late:.1f} s after its weight came"
        )


def good(scenario):
    deploy(scenario)
    reach(scenario, 10, BEGIN_SECONDS)
    came_at = reach(scenario, 50, SOON_SECONDS)
    succeed(scenario, "2.0.0")
    rollout = scenario.the_rollout()
    require_judged(scenario, rollout, "stage_1")
    require_judged(scenario, rollout, "stage_2", came_at)
    scenario.require("promoted" in kinds(scenario, rollout), "Serinus promoted it")
    scenario.require(rollout["state"] != "open", f"its key is closed: {rollout['state']}")


def bad(scenario):
    deploy(scenario, BAD)
    reach(scenario, 10, BEGIN_SECONDS)
    fail(scenario, SOON_SECONDS)
    rollout = scenario.the_rollout()
    scenario.require("rolled_back" in kinds(scenario, rollout), "Serinus rolled it back")
    scenario.require(rollout["state"] != "open", f"its key is closed: {rollout['state']}")


def undecided(scenario):
    deploy(scenario, UNDECIDED)
    reach(scenario, 10, BEGIN_SECONDS)
    scenario.throughout(
        "it stays at weight 10, and nothing is counted",
        SOON_SECONDS + 3 * TICK_SECONDS,
        lambda state: (state["weight"], state["failed_checks"]) == (10, 0),
    )
    scenario.require(scenario.the_rollout()["state"] == "open", "Serinus goes on judging")


def superseded(scenario):
    """FL13: another revision in the middle; then the first spec again, and bad."""
    deploy(scenario)
    reach(scenario, 10, BEGIN_SECONDS)
    reach(scenario, 50, SOON_SECONDS)
    scenario.tell("/image", IMAGE.format("3.0.0"))
    scenario.until("all traffic is back", 3 * TICK_SECONDS, lambda state: state["weight"] == 0)
    reach(scenario, 10, BEGIN_SECONDS)
    first, second = scenario.rollouts()
    scenario.require(
        (first["state"], second["state"]) == ("superseded", "open"),
        f"the first is superseded: {first['state']}",
    )
    came_at = reach(scenario, 50, SOON_SECONDS)
    succeed(scenario, "3.0.0")
    require_judged(scenario, scenario.rollouts()[1], "stage_2", came_at)
    scenario.turn("canary", BAD)
    scenario.tell("/image", IMAGE.format("2.0.0"))
    scenario.until(
        "the first spec again", BEGIN_SECONDS, lambda state: state["phase"] == "Progressing"
    )
    state = scenario.until("the end", SOON_SECONDS + BEGIN_SECONDS, is_over)
    scenario.require(state["phase"] == "Failed", "the first spec, bad now, is rolled back")
    scenario.require(state["primary_image"] == IMAGE.format("3.0.0"), "the primary stays")
    first, _, third = scenario.rollouts()
    scenario.require(
        (third["key"], third["attempt"]) == (first["key"], 2), "it was a new attempt of its key"
    )
    scenario.require("promoted" not in kinds(scenario, first), "the superseded one never promoted")


def refuse_at_10(scenario):
    """Has the write of weight 50 refused, after a 200. Waits until it was."""
    reach(scenario, 10, BEGIN_SECONDS)
    scenario.tell("/refuse-routes")
    state = scenario.until("a refused write", SOON_SECONDS, lambda state: state["refused"] == 1)
    scenario.require(state["weight"] == 10, "the weight was not written")
    stages = states_of(scenario.the_rollout())
    scenario.require(
        stages == {"stage_1": "passed", "stage_2": "waiting"},
        f"the first stage has passed, and the second has not begun: {stages}",
    )


def refused_routes(scenario):
    """FL14: Flagger could not act on a 200, and repeats the tick."""
    deploy(scenario)
    refuse_at_10(scenario)
    came_at = reach(scenario, 50, 3 * TICK_SECONDS)
    succeed(scenario, "2.0.0")
    require_judged(scenario, scenario.the_rollout(), "stage_2", came_at)


def no_event_hook(scenario):
    """FL16: the same without the hook that tells the weight."""
    deploy(scenario, changes=[(EVENT, "")])
    refuse_at_10(scenario)
    reach(scenario, 50, 3 * TICK_SECONDS + SOON_SECONDS)
    rollout = scenario.the_rollout()
    told = str(scenario.trail(rollout))
    scenario.require("weight_unknown" in told, "the trail warns that the weight is not known")
    succeed(scenario, "2.0.0")
    require_judged(scenario, scenario.the_rollout(), "stage_2")


def blue_green(scenario, metadata, stage, error_rate=GOOD):
    """FL15: no traffic step is confirmed, so the first call is that of the promotion."""
    changes = [(WEIGHTS, "    iterations: 2\n"), (PROMOTION, PROMOTION + metadata)]
    deploy(scenario, error_rate, changes)
    scenario.until(
        "the promotion is asked for and waits",
        BEGIN_SECONDS + 3 * TICK_SECONDS,
        lambda state: state["phase"] == "WaitingPromotion",
    )
    scenario.require(scenario.state()["weight"] == 0, "no traffic goes to a version not judged")
    if error_rate == BAD:
        fail(scenario, SOON_SECONDS)
        return
    reach(scenario, 100, SOON_SECONDS)
    require_judged(scenario, scenario.the_rollout(), stage)
    succeed(scenario, "2.0.0")


def blue_green_without_stage(scenario):
    blue_green(scenario, "", "stage_2")


def blue_green_with_stage(scenario):
    blue_green(scenario, "          stage: stage_1\n", "stage_1")


def blue_green_bad(scenario):
    blue_green(scenario, "          stage: stage_1\n", "stage_1", BAD)


SCENARIOS = {
    "good": good,
    "bad": bad,
    "undecided": undecided,
    "superseded": superseded,
    "refused routes": refused_routes,
    "no event hook": no_event_hook,
    "blue green": blue_green_without_stage,
    "blue green with stage": blue_green_with_stage,
    "blue green bad": blue_green_bad,
}
