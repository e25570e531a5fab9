"""What the notebooks share: the binary, the demo's HTTP API, and pictures.

The binary is the one that SERINUS_BIN names, or else the one that `cargo build` makes.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

import matplotlib.pyplot as plt

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.environ.get("SERINUS_BIN") or str(ROOT / "target" / "debug" / "serinus")
PICTURES = ROOT / "docs" / "pictures"
LARGEST_PICTURE_BYTES = 60_000
# Half a pixel: what the last digits of another processor may move.
PICTURE_TOLERANCE = 0.5
INTERVAL_MINUTES = 0.5

# Of middle brightness, on no background: readable on white and on black.
INK = "#777b80"
BLUE, ORANGE, GREEN, RED, PURPLE = "#3f83d8", "#d9730d", "#2e9e5b", "#e0483e", "#9a63e0"

plt.rcParams.update(
    {
        "svg.hashsalt": "serinus",
        "svg.fonttype": "none",
        "path.simplify": False,
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "axes.titlesize": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": INK,
        "grid.alpha": 0.25,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "figure.constrained_layout.use": True,
    }
)


def run(*arguments, may_end=(0,)):
    """Returns what the binary answers in JSON, where it ends with one of these codes."""
    command = [BINARY, *map(str, arguments), "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in may_end:
        raise RuntimeError(f"serinus {arguments[0]} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def simulate(**options):
    """Returns the cells of `serinus simulate`: simulate(base_rate=1e-3, effect=[1, 2])."""
    arguments = []
    for name, value in options.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        arguments += [f"--{name.replace('_', '-')}", ",".join(map(str, values))]
    return run("simulate", *arguments)["cells"]


def table_row(name, replicates):
    """Returns the lines of a row of docs/operating-characteristics.md, by what is measured."""
    # 1: measured, and a target is missed.
    lines = run("simulate", "--row", name, "--replicates", replicates, may_end=(0, 1))
    return {line["quantity"]: line for line in lines}


class Demo:
    """A running `serinus demo` whose play is over: `server` answers, `rows` tell the play."""

    ROW = re.compile(
        r"(?P<time>\w{3} \d\d:\d\d) +(?P<service>\w+) +(?P<stage>stage_\S+).*? % +"
        r"(?P<verdict>promote|hold|rollback) "
    )

    def __init__(self, process):
        self.process = process
        self.rows = []
        told = []
        for line in process.stdout:
            told.append(line)
            if row := self.ROW.match(line):
                self.rows.append(row.groupdict())
            if found := re.search(r"Swagger UI: (http://[^/]+)/", line):
                self.server = found[1]
                return
        raise RuntimeError("the demo ended too early:\n" + "".join(told))

    def ask(self, question):
        """Returns the answer of POST /v1/analyses."""
        request = urllib.request.Request(
            f"{self.server}/v1/analyses",
            data=json.dumps(question).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as problem:
            raise RuntimeError(problem.read().decode()) from None

    def first(self, **wanted):
        """Returns the first row of the play in which all these columns have these values."""
        return next(row for row in self.rows if wanted.items() <= row.items())


def plan(pipeline, **options):
    """Returns what `serinus plan` says of the only stage of a pipeline."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(pipeline)
        file.flush()
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        (stage,) = run("plan", file.name, *flags)["stages"]
    return stage


@contextlib.contextmanager
def demo():
    """Runs the demo as a child on a free port, and ends it with the block.

    Its gates are asked six times in a stage: who asks rarely rolls back late, so the bad canary
    keeps its traffic for the 40 minutes that are looked at.
    """
    process = subprocess.Popen(
        [BINARY, "demo", "--listen", "127.0.0.1:0", "--polls-per-stage", "6"],
        stdout=subprocess.PIPE,
        text=True,
        # A notebook asks for colours, also of what it reads itself.
        env={**os.environ, "NO_COLOR": "1", "CLICOLOR_FORCE": "0"},
    )
    try:
        yield Demo(process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def picture(figure, name):
    """Holds docs/pictures/NAME.svg against a figure, or writes it, as SERINUS_PICTURES says.

    `check` fails when the picture is another one than the figure, `write` replaces it, and
    nothing, as in a notebook that somebody plays with, only shows the figure.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    lines = (line.rstrip() for line in buffer.getvalue().splitlines())
    # A hundredth of a point is finer than any screen.
    drawn = re.sub(r"(\.\d\d)\d+", r"\1", "\n".join(lines)) + "\n"
    if len(drawn) > LARGEST_PICTURE_BYTES:
        raise AssertionError(f"{name}.svg has {len(drawn)} bytes: draw less")
    path = PICTURES / f"{name}.svg"
    mode = os.environ.get("SERINUS_PICTURES", "")
    if mode == "write":
        PICTURES.mkdir(exist_ok=True)
        path.write_text(drawn, encoding="utf-8")
    elif mode == "check":
        stored = path.read_text(encoding="utf-8") if path.exists() else ""
        if difference := differs(stored, drawn):
            raise AssertionError(f"{name}.svg is out of date ({difference}): run make pictures")


def differs(stored, drawn):
    """Says in which way two pictures differ by more than a reader could see, if they do."""
    # The names of shapes are hashes of their coordinates.
    number = re.compile(r"(?<![\w#])-?\d+(?:\.\d+)?(?:e-?\d+)?(?!\w)")
    shape = re.compile(r"\b[mpC](?:[0-9a-f]{10}|\w*_[0-9a-f]{10})\b")
    texts = [shape.sub("SHAPE", text) for text in (stored, drawn)]
    if number.sub("N", texts[0]) != number.sub("N", texts[1]):
        return "other shapes or words"
    pairs = zip(*([float(found) for found in number.findall(text)] for text in texts), strict=True)
    moved = max((abs(before - now) for before, now in pairs), default=0.0)
    return f"moved by {moved:.1f} pixels" if moved > PICTURE_TOLERANCE else ""
