#!/usr/bin/env python3
"""Judges recorded canaries whose truth is known, and says how often each method is right.

Every case is a folder with `control.csv` and `canary.csv` (`timestamp,metric,value`; a metric may
carry labels) and `label.json` (`truth` is `same` or `regression`, `step_s` the distance of the
samples). All cases go into a temporary Prometheus with the labels `case` and `track`; Serinus is
asked about each of them once for each method, and twice more with a population that does not
exist: without a canary, and without a control, nothing may be promoted. Fails if anything is.

    scripts/prove-real-data.py FOLDER [--binary target/debug/serinus] [--method sequential ...]
                               [--quiet]

The checks are made of what a case has: `error_rate < baseline * 1.1` of `errors_total` and
`requests_total`; `latency_p95 < baseline * 1.1` of the histogram `request_duration_seconds`, or
else `< baseline * 1.25` of the gauge `latency_p95_seconds`, which may roll back from this ratio on.
The interval is the step, the stage as long as the data, and its traffic the canary's measured
share, because nobody wrote down what was configured.

`threshold` is what a plain gate does: the same checks on the means of the window, without a test.
"""

import argparse
import collections
import contextlib
import csv
import http.client
import json
import math
import pathlib
import sys
import time

import proving

ERROR_RATIO = 1.1
HISTOGRAM_RATIO = 1.1
GAUGE_RATIO = 1.25
QUANTILE = 0.95
# Samples of years ago are served, and those of a step of five minutes are seen until the next.
KEPT_AND_SEEN = ["--storage.tsdb.retention.time=100y", "--query.lookback-delta=10m"]
METHODS = ["sequential", "wilson", "kayenta", "threshold"]
VERDICTS = ["rollback", "hold", "promote"]
TRACKS = ["control", "canary"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=pathlib.Path)
    proving.binary_argument(arguments, "debug")
    arguments.add_argument("--method", action="append", choices=METHODS)
    arguments.add_argument("--quiet", action="store_true", help="only the tables")
    options = arguments.parse_args()
    folders = sorted(path.parent for path in options.folder.rglob("label.json"))
    cases = [Case(folder) for folder in folders]
    if not cases:
        sys.exit(f"no label.json below {options.folder}")
    # On a common multiple of the steps, a little before now: what is younger than the lag is not
    # judged.
    end = int(time.time()) // 3600 * 3600 - 3600
    for case in cases:
        case.move_to(end)
    with contextlib.ExitStack() as stack:
        folder = proving.scratch(stack)
        prometheus = proving.start_prometheus(
            stack, folder, history=openmetrics(cases), arguments=KEPT_AND_SEEN
        )
        serinus = start_serinus(stack, folder, options.binary, prometheus.url)
        tables = {}
        for method in options.method or METHODS:
            if not options.quiet:
                print(f"\n{method}\n")
            tables[method] = collections.Counter()
            for case in cases:
                verdict, reason = judge(serinus, case, method)
                tables[method][case.family, case.truth, verdict] += 1
                if not options.quiet:
                    print(f"{case.name:34} {case.truth:10} {verdict:8} {reason}")
        print_tables(cases, tables)
        promoted = [
            f"{case.name} without {absent}"
            for case in cases
            for absent in TRACKS
            if analyse(serinus, case, "sequential", absent)["verdict"] == "promote"
        ]
    print(f"\n{len(promoted)} of {2 * len(cases)} promoted with an absent canary or control")
    if promoted:
        sys.exit("promoted: " + ", ".join(promoted))


class Case:
    """One folder: its truth and its samples by track and metric."""

    def __init__(self, folder):
        label = json.loads((folder / "label.json").read_text())
        self.name, self.truth = folder.name, label["truth"]
        self.family = self.name.split("_")[0]
        self.step = int(label.get("step_s", 60))
        self.samples = {track: collections.defaultdict(dict) for track in TRACKS}
        for track in TRACKS:
            with open(folder / f"{track}.csv") as file:
                for row in csv.DictReader(file):
                    at = int(float(row["timestamp"]))
                    self.samples[track][row["metric"]].setdefault(at, row["value"])

    def move_to(self, end):
        """Moves all samples by whole steps, the last to the end at most, on the clock's grid."""
        times = sorted(
            {at for track in TRACKS for series in self.samples[track].values() for at in series}
        )
        if not times:
            return
        shift = end - times[-1]
        self.start, self.end = times[0] + shift, end
        for track in TRACKS:
            for metric, series in self.samples[track].items():
                self.samples[track][metric] = {at + shift: value for at, value in series.items()}

    def has(self, prefix):
        return any(metric.startswith(prefix) for track in TRACKS for metric in self.samples[track])

    def counted(self, track, metric):
        """What a counter that is never reset gained."""
        values = [float(value) for _, value in sorted(self.samples[track].get(metric, {}).items())]
        return values[-1] - values[0] if values else 0.0

    def canary_percent(self):
        """The canary's share of the requests; half where nobody counted."""
        of = {track: self.requests(track) for track in TRACKS}
        both = sum(of.values())
        return min(max(100 * of["canary"] / both, 0.01), 99.99) if both > 0 else 50.0

    def requests(self, track):
        names = ["requests_total", "request_duration_seconds_count"]
        return max(self.counted(track, name) for name in names)

    def checks(self):
        """The metrics of the pipeline, and the checks on them."""
        metrics, checks = {}, []
        if self.has("errors_total") and self.has("requests_total"):
            metrics["error_rate"] = {"errors": "errors_total", "total": "requests_total"}
            checks.append(f"error_rate < baseline * {ERROR_RATIO}")
        if self.has("request_duration_seconds_bucket"):
            metrics["latency_p95"] = {"quantile": QUANTILE, "histogram": "request_duration_seconds"}
            checks.append(f"latency_p95 < baseline * {HISTOGRAM_RATIO}")
        elif self.has("latency_p95_seconds"):
            metrics["latency_p95"] = {"gauge": "latency_p95_seconds"}
            checks.append(f"latency_p95 < baseline * {GAUGE_RATIO}")
        return metrics, checks


def threshold(case):
    """The verdict of a plain gate, which compares the means of the window and knows no doubt."""
    value = {track: {} for track in TRACKS}
    for track in TRACKS:
        total = case.counted(track, "requests_total")
        if total and case.has("errors_total"):
            value[track]["error_rate"] = case.counted(track, "errors_total") / total
        quantiles = [float(v) for v in case.samples[track].get("latency_p95_seconds", {}).values()]
        if quantiles := [v for v in quantiles if math.isfinite(v)]:
            value[track]["latency_p95"] = sum(quantiles) / len(quantiles)
    latency = HISTOGRAM_RATIO if case.has("request_duration_seconds_bucket") else GAUGE_RATIO
    limits = {"error_rate": ERROR_RATIO, "latency_p95": latency}
    for metric, canary in value["canary"].items():
        control = value["control"].get(metric, math.inf)
        if canary > limits[metric] * control:
            return "rollback", f"{metric} {canary:.4g} against {control:.4g}"
    return "promote", "below all thresholds"


def judge(serinus, case, method):
    if method == "threshold":
        return threshold(case)
    answer = analyse(serinus, case, method)
    return answer["verdict"], answer["gate"]["reason"]


def print_tables(cases, tables):
    families = sorted({case.family for case in cases})
    head = " ".join(
        f"{f'{truth}: {verdict}':>20}" for truth in ("same", "regression") for verdict in VERDICTS
    )
    print(f"\n{'family':10} {'method':11} {head}")
    for family in families:
        for method, table in tables.items():
            cells = [
                f"{table[family, truth, verdict]} of "
                f"{sum(table[family, truth, any_] for any_ in VERDICTS)}"
                for truth in ("same", "regression")
                for verdict in VERDICTS
            ]
            print(f"{family:10} {method:11} " + " ".join(f"{cell:>20}" for cell in cells))


def analyse(connection, case, method, absent=None):
    """Asks about the whole window of a case, with a population of a case that does not exist."""
    matchers = {
        track: {"case": "none" if track == absent else case.name, "track": track}
        for track in TRACKS
    }
    metrics, checks = case.checks()
    body = {
        "pipeline": {
            "name": "recorded",
            "metrics": metrics,
            "analysis": ANALYSIS | {"method": method, "interval": f"{case.step}s", "lag": "0s"},
            "canary_pipeline": {
                "only": {
                    "traffic_percent": case.canary_percent(),
                    "duration_minutes": (case.end - case.start) / 60,
                    "metrics": checks,
                }
            },
        },
        "start": proving.timestamp(case.start),
        "end": proving.timestamp(case.end),
        **matchers,
    }
    connection.request(
        "POST", "/v1/analyses", json.dumps(body), {"Content-Type": "application/json"}
    )
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status != 200:
        sys.exit(f"{case.name}: status {answer.status}: {text}")
    return json.loads(text)


# What every pipeline here says of the analysis.
ANALYSIS = {}


def openmetrics(cases):
    """All samples in the text format: each family's together, each series' in the order of time."""
    names = {
        metric.split("{")[0] for case in cases for track in TRACKS for metric in case.samples[track]
    }
    histograms = {name.removesuffix("_bucket") for name in names if name.endswith("_bucket")}
    families = collections.defaultdict(list)
    for case in cases:
        for track in TRACKS:
            for metric, samples in case.samples[track].items():
                name, _, labels = metric.partition("{")
                labels = ",".join(
                    filter(None, [f'case="{case.name}",track="{track}"', labels.removesuffix("}")])
                )
                lines = [
                    f"{name}{{{labels}}} {value} {at}" for at, value in sorted(samples.items())
                ]
                families[family_of(name, histograms)].append((name, labels, lines))
    text = []
    for (family, kind), series in sorted(families.items()):
        text.append(f"# TYPE {family} {kind}")
        for _, _, lines in sorted(series):
            text.extend(lines)
    return "\n".join([*text, "# EOF", ""])


def family_of(name, histograms):
    for suffix in ("_bucket", "_sum", "_count"):
        if name.endswith(suffix) and name.removesuffix(suffix) in histograms:
            return name.removesuffix(suffix), "histogram"
    return (name.removesuffix("_total"), "counter") if name.endswith("_total") else (name, "gauge")


def start_serinus(stack, folder, binary, prometheus_url):
    """Starts it, and returns a connection to it that is kept."""
    serinus = proving.Serinus(stack, folder, binary, prometheus_url, {})
    serinus.start()
    connection = http.client.HTTPConnection("127.0.0.1", serinus.port, timeout=30)
    stack.callback(connection.close)
    return connection


if __name__ == "__main__":
    main()
