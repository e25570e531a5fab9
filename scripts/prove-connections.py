#!/usr/bin/env python3
"""Takes up as many connections as one client can, and asks for health and gates meanwhile.

Serinus is started with the soft limit of 1,024 open files that containers often have. A client
process of its own then holds, for `--seconds` each and opening again what is closed, 500 a second:

* 4,096 connections that never ask,
* 1,000 event streams of one rollout,
* both at once, the former with half a header and a byte more every second,
* 4,096 connections that never ask, from 16 addresses.

All that time `/healthz`, `/readyz` and a gate are asked on new connections, and other gates every
second on connections that were opened before. Fails when one of them is not answered, when health
takes 100 ms or a gate 1 s, or when a connection of a gate is closed between two polls.

Then with tokens: one token has 16 streams at most, further ones are a 429 that says when to ask
again, and all end within seconds once the token is taken out of its file.

    scripts/prove-connections.py [--seconds 15] [--idle 4096] [--streams 1000] [--figures-only]
                                 [--binary target/release/serinus]
"""

import argparse
import collections
import contextlib
import errno
import hashlib
import http.client
import json
import resource
import selectors
import socket
import subprocess
import sys
import threading
import time

import proving

MOST_HEALTH_SECONDS = 0.1
MOST_GATE_SECONDS = 1.0
SOFT_FILES_OF_SERINUS = 1024
KEPT_GATES = 20
ADDRESSES = 16
MOST_STREAMS_OF_ONE = 16
STREAMS_END_WITHIN_SECONDS = 15
ANSWER_WITHIN_SECONDS = 5

PIPELINE = """
name: shop
canary_pipeline:
  first: {traffic_percent: 5, duration_minutes: 1440, metrics: [error_rate < 1%]}
control: {track: stable}
canary: {track: canary}
"""


def main():
    options = read_options()
    if options.attack:
        attack(json.loads(options.attack))
        return
    with contextlib.ExitStack() as stack:
        folder = proving.scratch(stack)
        serinus = start_serinus(stack, folder, options)
        rollout = start_rollouts(serinus)
        broken = []
        for phase in phases(options, rollout):
            broken += run_phase(serinus, options, *phase)
        broken += prove_tokens(stack, folder, options)
    if broken and not options.figures_only:
        sys.exit("\n".join(f"FAILED: {sentence}" for sentence in broken))


def read_options():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=15, help="of each attack")
    arguments.add_argument("--idle", type=int, default=4096)
    arguments.add_argument("--streams", type=int, default=1000)
    arguments.add_argument(
        "--figures-only", action="store_true", help="say what is, and fail never"
    )
    arguments.add_argument("--attack", help=argparse.SUPPRESS)
    proving.binary_argument(arguments)
    return arguments.parse_args()


def phases(options, rollout):
    """Each attack: its name, and what is held, of which kind and from how many addresses."""
    stream = f"/v1/rollouts/{rollout}/events"
    idle = {"kind": "idle", "count": options.idle}
    streams = {"kind": "stream", "count": options.streams, "path": stream}
    slow = {"kind": "slow", "count": options.idle}
    yield "nothing", []
    yield f"{options.idle} idle connections", [idle]
    yield f"{options.streams} event streams", [streams]
    yield f"{options.idle} slow headers and {options.streams} event streams", [slow, streams]
    yield (
        f"{options.idle} idle connections from {ADDRESSES} addresses",
        [{**idle, "addresses": ADDRESSES}],
    )


# ------------------------------------------------------------------------------ the one who asks


def start_serinus(stack, folder, options, arguments=()):
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT_FILES_OF_SERINUS, hard))
    # Nobody answers there: a gate holds, and says so at once.
    serinus = proving.Serinus(
        stack, folder, options.binary, "http://127.0.0.1:1", {"shop": PIPELINE}, arguments
    )
    serinus.start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return serinus


def gate(number):
    return f"/v1/pipelines/shop/stages/first/gate?key=r{number}"


def start_rollouts(serinus, headers=None):
    """Starts the rollouts whose gates are asked; returns the id of one."""
    for number in range(KEPT_GATES + 1):
        answer = proving.ask(serinus.port, "GET", gate(number), headers=headers)
        proving.require(answer.status == 200, f"a gate is answered {answer.status}")
    return answer.json()["rollout"]


class Watch:
    """Asks one thing again and again in a thread of its own, and remembers how long that took."""

    def __init__(self, name, most_seconds, every_seconds, ask):
        self.name, self.most_seconds = name, most_seconds
        self.every_seconds, self.ask = every_seconds, ask
        self.took, self.wrong = [], collections.Counter()
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.is_over.is_set():
            began = time.monotonic()
            try:
                self.ask()
            except (proving.Unanswered, OSError, http.client.HTTPException) as error:
                self.wrong[type(error).__name__ + ": " + str(error)[-60:]] += 1
            self.took.append(time.monotonic() - began)
            self.is_over.wait(max(0, self.every_seconds - self.took[-1]))

    def end(self):
        self.is_over.set()
        self.thread.join()

    def report(self, attack_name):
        times = sorted(self.took)
        slowest, median = times[-1], times[len(times) // 2]
        wrong = f", {dict(self.wrong)}" if self.wrong else ""
        print(
            f"  {self.name}: {len(times)} asked, median {median * 1e3:.1f} ms, "
            f"slowest {slowest * 1e3:.0f} ms, {sum(self.wrong.values())} not answered{wrong}",
            flush=True,
        )
        broken = []
        if self.wrong:
            broken.append(f"{self.name} is not always answered beside {attack_name}")
        if slowest >= self.most_seconds:
            broken.append(f"{self.name} takes {slowest:.2f} s beside {attack_name}")
        return broken


def ask_once(serinus, path):
    def ask():
        answer = proving.ask(serinus.port, "GET", path, timeout_seconds=ANSWER_WITHIN_SECONDS)
        if answer.status != 200:
            raise proving.Unanswered(f"{path}: {answer.status}")

    return ask


class KeptGates:
    """Polls its gates, each on a connection of its own that is never opened again."""

    def __init__(self, port):
        self.connections = [
            http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN_SECONDS)
            for _ in range(KEPT_GATES)
        ]
        for connection in self.connections:
            connection.auto_open = False
            connection.connect()
        self.turn = 0
        for _ in self.connections:
            self.ask()

    def ask(self):
        number = self.turn % KEPT_GATES
        self.turn += 1
        connection = self.connections[number]
        connection.request("GET", gate(number))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise proving.Unanswered(f"{answer.status}")

    def close(self):
        for connection in self.connections:
            connection.close()


def run_phase(serinus, options, name, held):
    print(f"beside {name}:", flush=True)
    kept = KeptGates(serinus.port)
    watches = [
        Watch("/healthz", MOST_HEALTH_SECONDS, 0.05, ask_once(serinus, "/healthz")),
        Watch("/readyz", MOST_HEALTH_SECONDS, 0.05, ask_once(serinus, "/readyz")),
        Watch("a gate", MOST_GATE_SECONDS, 0.05, ask_once(serinus, gate(KEPT_GATES))),
        Watch("a gate on a kept connection", MOST_GATE_SECONDS, 1 / KEPT_GATES, kept.ask),
    ]
    for watch in watches:
        watch.thread.start()
    plan = {"port": serinus.port, "seconds": options.seconds, "held": held}
    command = [sys.executable, __file__, "--attack", json.dumps(plan)]
    attacker = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    for watch in watches:
        watch.end()
    kept.close()
    for line in attacker.stdout.splitlines():
        print(f"  {line}")
    print(f"  {serinus.memory_mib()[0]:.0f} MiB resident", flush=True)
    broken = [sentence for watch in watches for sentence in watch.report(name)]
    serinus.require_running()
    return broken


# ----------------------------------------------------------------------------- the one who holds


class Holder:
    """Holds so many connections of one kind, and opens again what is closed."""

    # How many are opened in one turn of the loop.
    AT_ONCE = 256
    # How many are opened again in a second. As fast as it can, a client proves how fast a machine
    # takes connections, which has two processors and runs both.
    AGAIN_PER_SECOND = 500

    def __init__(self, selector, port, kind, count, path=None, addresses=1):
        self.selector, self.port, self.kind, self.count = selector, port, kind, count
        self.addresses, self.number = addresses, 0
        self.sockets, self.opened, self.began = set(), 0, time.monotonic()
        self.statuses, self.closed = collections.Counter(), 0
        self.first = {
            "idle": b"",
            "slow": b"GET /v1/pipelines HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
            "stream": f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Accept: text/event-stream\r\n\r\n".encode(),
        }[kind]

    def open_missing(self):
        seconds = time.monotonic() - self.began
        allowed = int(self.count + self.AGAIN_PER_SECOND * seconds) - self.opened
        for _ in range(min(self.AT_ONCE, self.count - len(self.sockets), allowed)):
            one = socket.socket()
            one.setblocking(False)
            if self.addresses > 1:
                self.number += 1
                one.bind((f"127.0.1.{1 + self.number % self.addresses}", 0))
            code = one.connect_ex(("127.0.0.1", self.port))
            if code not in (0, errno.EINPROGRESS):
                one.close()
                return
            self.sockets.add(one)
            self.opened += 1
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.first else 0)
            self.selector.register(one, events, self)

    def ready(self, one, mask):
        try:
            if mask & selectors.EVENT_WRITE:
                one.send(self.first)
                self.selector.modify(one, selectors.EVENT_READ, self)
            if mask & selectors.EVENT_READ:
                data = one.recv(65536)
                if not data:
                    self.drop(one)
                elif data.startswith(b"HTTP/1.1 "):
                    self.statuses[data[9:12].decode()] += 1
        except OSError:
            self.drop(one)

    def drop(self, one):
        self.closed += 1
        self.sockets.discard(one)
        self.selector.unregister(one)
        one.close()

    def a_byte_more(self):
        for one in list(self.sockets):
            try:
                one.send(b"a")
            except BlockingIOError:
                pass
            except OSError:
                self.drop(one)

    def told(self):
        answers = f", answers {dict(self.statuses)}" if self.statuses else ""
        return f"{self.kind}: {len(self.sockets)} held, {self.closed} were closed{answers}"


def attack(plan):
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    selector = selectors.DefaultSelector()
    holders = [Holder(selector, plan["port"], **held) for held in plan["held"]]
    needed = sum(holder.count for holder in holders) + 100
    proving.require(hard >= needed, f"only {hard} files may be open, {needed} are needed")
    began = time.monotonic()
    next_byte = began
    while time.monotonic() < began + plan["seconds"]:
        for holder in holders:
            holder.open_missing()
        for key, mask in selector.select(timeout=0.01):
            key.data.ready(key.fileobj, mask)
        if time.monotonic() >= next_byte:
            next_byte += 1
            for holder in holders:
                if holder.kind == "slow":
                    holder.a_byte_more()
        time.sleep(0.001)
    for holder in holders:
        print(holder.told())


# --------------------------------------------------------------------------------------- tokens


def prove_tokens(stack, folder, options):
    """Streams of a token: how many there may be, and that they end when it does."""
    names = ["reader", "other"]
    tokens = folder / "tokens.yaml"

    def write(kept):
        digests = {name: hashlib.sha256(f"secret-{name}".encode()).hexdigest() for name in kept}
        tokens.write_text(
            "".join(
                f'- {{name: {name}, sha256: "{digest}", scopes: [all]}}\n'
                for name, digest in digests.items()
            )
        )

    def bearer(name):
        return {"Authorization": f"Bearer secret-{name}"}

    write(names)
    serinus = start_serinus(stack, folder, options, [f"--tokens={tokens}"])
    rollout = start_rollouts(serinus, bearer("other"))
    path = f"/v1/rollouts/{rollout}/events"
    streams, refused = [], []
    for _ in range(MOST_STREAMS_OF_ONE + 4):
        connection = http.client.HTTPConnection("127.0.0.1", serinus.port, timeout=5)
        stack.callback(connection.close)
        headers = {**bearer("reader"), "Accept": "text/event-stream"}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        (streams if answer.status == 200 else refused).append((connection, answer))
    other = proving.ask(serinus.port, "GET", path, headers=bearer("other"))
    told = {(answer.status, answer.getheader("Retry-After")) for _, answer in refused}
    print(f"of one token {len(streams)} streams are open, {len(refused)} refused with {told}")
    write(["other"])
    began, ended = time.monotonic(), 0
    for connection, answer in streams:
        ended += ends_before(began + STREAMS_END_WITHIN_SECONDS, connection, answer)
    seconds = time.monotonic() - began
    print(f"the token is taken out: {ended} of {len(streams)} ended within {seconds:.1f} s")
    broken = []
    if len(streams) != MOST_STREAMS_OF_ONE or told != {(429, "10")}:
        broken.append(f"a token has {len(streams)} streams, others are told {told}")
    if other.status != 200:
        broken.append(f"another token is told {other.status} beside them")
    if ended != len(streams):
        broken.append(f"{len(streams) - ended} streams go on without their token")
    return broken


def ends_before(deadline, connection, answer):
    """Whether a stream ends in time; a silent one says every now and then that it is there."""
    with contextlib.suppress(OSError):
        while True:
            connection.sock.settimeout(max(0.01, deadline - time.monotonic()))
            if not answer.read1(65536):
                return True
    return False


if __name__ == "__main__":
    main()
