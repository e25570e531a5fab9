#!/usr/bin/env python3
"""Makes cells.tsv of the figures that the design of gauges, version 2, has measured.

    cells.py gauges_oc.json > cells.tsv

`gauges_oc.json` is written by the design's own program, `gauges_oc.py` (numpy), which is no part of Serinus: 510 laws,
each judged 250 to 2,000 times. What it says of a law is taken over as it is: its name, its parameters, and by so many
minutes the shares in percent that version 1 and version 2 rolled back though nobody promotes, rolled back before a
promotion, and promoted before a rollback. A cell is a line: table, name, seconds between samples, rollouts, what is
judged, the law, and its figures as `minutes:b1/f1/p1>b2/f2/p2`.
"""

import json
import sys


def table(cell):
    name, kind, judge = cell["law"], cell["kind"], cell["judge"]
    if name.startswith("success"):
        return "success-rates"
    if "absolute" in judge and name.startswith("absolute,"):
        if ("on the limit, ar(" in name and "rounded" not in name) or "both sides" in name:
            return "absolute-edge"
        if "constant" in name and not judge.get("number") or ", s " in name:
            return "absolute-distance"
        return "absolute-others"
    if "absolute" in judge and name.startswith("absolute ."):
        return "absolute-others"
    if name.startswith(("good, ar", "at the promotion limit")) and "past" not in name:
        return "promotion"
    if cell["step"] != 60 and name.startswith("ar("):
        return "sampling"
    if name.startswith("ar(") and (kind == "same" or "pods 1:1, 4 h" not in name):
        return "identical" if kind == "same" else "found"
    return "others"


def number(value):
    return f"{value:g}"


def words(pairs):
    def word(value):
        if isinstance(value, list):
            return ":".join(map(number, value))
        return "yes" if value is True else repr(value).removesuffix(".0")

    return " ".join(f"{key}={word(value)}" for key, value in pairs.items())


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        cells = json.load(file)["cells"]
    for cell in cells:
        shares = zip(cell["minutes"], cell["v1"], cell["v2"], strict=True)
        figures = [
            f"{minutes}:"
            + ">".join("/".join(number(100 * one) for one in version) for version in versions)
            for minutes, *versions in shares
        ]
        line = [
            table(cell),
            cell["law"].replace("%%", "%"),
            number(cell["step"]),
            number(cell["replicates"]),
            words(cell["judge"]),
            words(cell["parameters"]),
            " ".join(figures),
        ]
        print("\t".join(line))


if __name__ == "__main__":
    main()
