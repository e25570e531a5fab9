"""What the scripts share that start real processes: Serinus, Prometheus, a fleet to scrape, HTTP.

A proof or a measurement is a script of its own that imports this module, because both lie in
`scripts/`:

    import contextlib, proving

    with contextlib.ExitStack() as stack:
        folder = proving.scratch(stack)
        fleet = proving.Fleet(stack)
        fleet.canary("good"), fleet.canary("worse", error_rate=0.2)
        prometheus = proving.start_prometheus(stack, folder, [fleet.target], scrape_seconds=1)
        serinus = proving.Serinus(stack, folder, binary, prometheus.url, {"shop": PIPELINE})
        serinus.start()
        answer = serinus.ask("GET", "/v1/pipelines/shop/stages/first/gate?key=1&canary.canary=good")
        assert answer.status == 200, answer.json()["gate"]["reason"]

Everything that is started is ended with the stack, by its own process id, also upon an error. It
works in the scratch folder, so that nothing is left behind and none meets a service beside it.
A process that does not start ends the proof with the end of its log. `fail` ends a proof with a
sentence and exit code 1.
"""

import contextlib
import datetime
import http.client
import http.server
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
READY_WITHIN_SECONDS = 30
STOP_WITHIN_SECONDS = 20


def fail(sentence):
    """Ends the proof: a promise is broken."""
    sys.exit(f"FAILED: {sentence}")


def require(condition, sentence):
    """Ends the proof unless the promise is kept."""
    if not condition:
        fail(sentence)


def binary_argument(arguments, profile="release"):
    """Adds `--binary`, the build of a profile unless another is named."""
    add_path(arguments, "--binary", built(profile) / "serinus", None)


def helpers_argument(arguments):
    """Adds `--helpers`, where the programs of tests/src/bin lie."""
    add_path(arguments, "--helpers", built("release"), "where the helpers lie")


def add_path(arguments, name, default, text):
    # Whole, because what is started works in another folder.
    arguments.add_argument(
        name, type=lambda given: pathlib.Path(given).resolve(), default=default, help=text
    )


def built(profile):
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / profile


def scratch(stack):
    """A temporary folder, removed with the stack; which SIGTERM ends like an error from now on."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    return pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="serinus-proof-")))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def timestamp(at_seconds):
    """A time in seconds since 1970 as the API reads it."""
    return datetime.datetime.fromtimestamp(at_seconds, datetime.UTC).isoformat()


class Unanswered(Exception):
    """No whole answer came: refused, cut or late. Whether the request was taken is not known."""


class Answer:
    """An answer as it came: its status, its headers (names in lower case) and its bytes."""

    def __init__(self, status, headers, content):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.content = content

    def json(self):
        return json.loads(self.content)

    def is_problem(self):
        return self.headers.get("content-type", "").startswith("application/problem+json")


def ask(port, method, path, body=None, timeout_seconds=10, headers=None):
    """Asks once, on a connection of its own. Raises Unanswered unless the whole answer came."""
    content = None if body is None else json.dumps(body)
    sent = {"Content-Type": "application/json"} if content is not None else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    try:
        connection.request(method, path, content, {**sent, **(headers or {})})
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(f"{method} {path}: {error!r}") from error
    finally:
        connection.close()


class Process:
    """A program that listens on a port and works where its log is. It may be started again."""

    def __init__(self, stack, name, command, port, ready_path, log):
        self.name, self.command, self.port, self.ready_path = name, command, port, ready_path
        self.log = pathlib.Path(log)
        self.environment = {}  # beside the variables of the proof itself
        self.running = None
        stack.callback(self.stop)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def spawn(self):
        """Starts it and does not wait until it answers."""
        program = self.command[0]
        if "/" in str(program) and not os.access(program, os.X_OK):
            sys.exit(f"there is no {program}: it is a build of cargo, which make does first")
        with open(self.log, "ab") as output:
            self.running = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=output,
                cwd=self.log.parent,
                env={**os.environ, **self.environment},
            )

    def start(self):
        """Starts it and waits until it is ready; returns the seconds that this took."""
        began_at = time.monotonic()
        self.spawn()
        self.wait_until_ready()
        return time.monotonic() - began_at

    def wait_until_ready(self):
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(Unanswered):
                if ask(self.port, "GET", self.ready_path, timeout_seconds=1).status == 200:
                    return
            self.require_running()
            time.sleep(0.01)
        fail(f"{self.name} is not ready within {READY_WITHIN_SECONDS} s:\n{self.log_tail()}")

    def require_running(self):
        code = self.running.poll()
        if code is not None:
            fail(f"{self.name} ended by itself with {code}:\n{self.log_tail()}")

    def kill(self):
        """SIGKILL: it has no chance to finish anything. Fails when it was gone before."""
        self.require_running()
        self.running.kill()
        self.running.wait()

    def stop(self, with_signal=signal.SIGTERM):
        """Ends it as an operator does; kills it when it does not end."""
        if self.running is None or self.running.poll() is not None:
            return
        self.running.send_signal(with_signal)
        try:
            self.running.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()

    def log_text(self):
        return self.log.read_text(errors="replace")

    def log_tail(self, characters=4000):
        return self.log_text()[-characters:]

    def memory_mib(self):
        """Its resident memory now, and the most that there ever was, in MiB."""
        status = pathlib.Path(f"/proc/{self.running.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        resident, most = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
        return resident, most

    def cpu_seconds(self):
        """Its time on the processor so far, user and system."""
        stat = pathlib.Path(f"/proc/{self.running.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Serinus(Process):
    """Serinus on a port that stays its own. `pipelines` are texts by name; `arguments` are further
    ones of `serinus serve`, such as `--store=sqlite:FILE` (in memory when left out)."""

    def __init__(self, stack, folder, binary, prometheus_url, pipelines, arguments=(), port=None):
        port = port or free_port()
        pipelines_folder = folder / "pipelines"
        pipelines_folder.mkdir(exist_ok=True)
        for name, text in pipelines.items():
            (pipelines_folder / f"{name}.yaml").write_text(text)
        self.binary = binary
        named = {argument.split("=")[0] for argument in arguments}
        usual = {
            "--listen": f"127.0.0.1:{port}",
            "--prometheus": prometheus_url,
            "--pipelines": pipelines_folder,
            "--store": "sqlite::memory:",
            "--rate-limit-per-second": "0",
            "--drain-seconds": "0",
        }
        command = [
            binary,
            "serve",
            *(f"{name}={value}" for name, value in usual.items() if name not in named),
        ]
        super().__init__(
            stack,
            "serinus",
            [*command, *arguments],
            port,
            "/readyz",
            folder / f"serinus-{port}.log",
        )

    def ask(self, method, path, body=None, timeout_seconds=10):
        return ask(self.port, method, path, body, timeout_seconds)

    def start_rollout(self, body, timeout_seconds=10):
        return self.ask("POST", "/v1/rollouts", body, timeout_seconds)

    def run(self, *arguments):
        """Runs another command of the same binary, such as `replay`; returns what came of it."""
        return subprocess.run(
            [self.binary, *arguments], capture_output=True, text=True, timeout=120, check=False
        )


def start_prometheus(stack, folder, targets=(), scrape_seconds=1, history=None, arguments=()):
    """Starts a real Prometheus that scrapes `host:port` targets, or serves a past it never saw:
    a text in the OpenMetrics format."""
    configuration = ""
    if targets:
        listed = json.dumps([{"targets": list(targets)}])
        configuration = (
            f"global: {{scrape_interval: {scrape_seconds}s, scrape_timeout: {scrape_seconds}s}}\n"
            f"scrape_configs: [{{job_name: fleet, static_configs: {listed}}}]\n"
        )
    data = folder / "prometheus-data"
    if history is not None:
        (folder / "history.om").write_text(history)
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
        subprocess.run(
            [*command, folder / "history.om", data], check=True, stdout=subprocess.DEVNULL
        )
    (folder / "prometheus.yml").write_text(configuration)
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
        *arguments,
    ]
    prometheus = Process(stack, "prometheus", command, port, "/-/ready", folder / "prometheus.log")
    prometheus.start()
    return prometheus


def start_helper(stack, folder, program, ready_path, *arguments):
    """Starts a program of tests/src/bin, which is given its address first."""
    port = free_port()
    command = [program, f"127.0.0.1:{port}", *arguments]
    log = folder / f"{program.name}.log"
    helper = Process(stack, program.name, command, port, ready_path, log)
    helper.start()
    return helper


class Track:
    """One population: so many requests a second, and how many of them fail, from when on."""

    def __init__(self, requests_per_second, error_rate):
        self.requests_per_second = requests_per_second
        self.changes = [(0.0, error_rate)]
        self.served, self.failed = 0, 0
        self.counted_until = time.monotonic()

    def error_rate(self, at):
        return next(rate for since, rate in reversed(self.changes) if since <= at)

    def count_until(self, now, dice):
        expected = (now - self.counted_until) * self.requests_per_second
        # Both are Poisson counts, so near enough by their normal form at hundreds of requests.
        served = max(0, round(dice.gauss(expected, expected**0.5)))
        mean = served * self.error_rate(now)
        failed = max(0, min(served, round(dice.gauss(mean, mean**0.5))))
        self.served, self.failed, self.counted_until = (
            self.served + served,
            self.failed + failed,
            now,
        )


class Fleet:
    """A metrics endpoint of a control and any number of canaries, which may come, go and turn.

    Serves `http_requests_total{canary="NAME", code="200"|"500"}`; the control is the canary named
    `control`. Counts grow with the real time, so that a scrape sees what was served since the last.
    """

    CONTROL = "control"

    def __init__(self, stack, requests_per_second=400, error_rate=0.01, seed=1):
        self.requests_per_second, self.error_rate_of_control = requests_per_second, error_rate
        self.dice = random.Random(seed)
        self.lock = threading.Lock()
        self.tracks = {self.CONTROL: Track(requests_per_second, error_rate)}
        fleet = self

        class Metrics(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                content = fleet.exposition().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        self.target = f"127.0.0.1:{server.server_port}"

    def canary(self, name, error_rate=None, turns_after_seconds=None, turns_to=None):
        """Adds a canary, as good as the control unless an error rate is given. May turn later."""
        usual = self.error_rate_of_control if error_rate is None else error_rate
        track = Track(self.requests_per_second, usual)
        if turns_after_seconds is not None:
            track.changes.append((time.monotonic() + turns_after_seconds, turns_to))
        with self.lock:
            self.tracks[name] = track

    def turn(self, name, error_rate):
        """From now on it fails as often as this."""
        with self.lock:
            self.tracks[name].changes.append((time.monotonic(), error_rate))

    def remove(self, name):
        with self.lock:
            self.tracks.pop(name, None)

    def exposition(self):
        now = time.monotonic()
        lines = ["# TYPE http_requests_total counter"]
        with self.lock:
            for name, track in self.tracks.items():
                track.count_until(now, self.dice)
                for code, count in ((200, track.served - track.failed), (500, track.failed)):
                    lines.append(f'http_requests_total{{canary="{name}",code="{code}"}} {count}')
        return "\n".join([*lines, ""])
