#!/usr/bin/env python3
"""Holds what comments and documents point to: it has to exist.

    scripts/check-sources.py

* `Source:` in a comment says where a rule or a constant comes from: a heading of a page in
  docs/design (`Source: docs/design/counts.md, "4. Noise"`), or literature (a year, an RFC, an
  address, or a file of another project in backticks). Further ones follow after a semicolon.
* A page of docs/design that is named anywhere is there, and the heading in quotes behind it too.
* A path of the repository in backticks, in CONTRIBUTING.md and docs/design, is there.
* Every case of docs/design/callers.md is a test of that name, and every such test a case.
* A link of a Markdown page leads to a file of the repository, and its anchor to a heading.

Sources that are not in the repository, such as notes that somebody has, are none.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DESIGN = re.compile(r'docs/design/(?P<page>[\w-]+\.md)(?P<headings>(?:,?(?: and)? "[^"]+")*)')
SOURCE = re.compile(r"(?<![\w:])Sources?:(?!:)\s*(?P<text>.*)")
COMMENT = re.compile(r"^\s*(?://[/!]?|#(?!\[)|--)\s?")
LITERATURE = re.compile(r"\b(?:1[89]|20)\d\d\b|\bRFC \d+|<https?://[^>]+>|`[^`]*[./][^`]*`")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)|!\[[^\]]*\]\((?P<picture>[^)\s]+)\)")
PATH = re.compile(r"`(?P<path>[\w.*-]+/[\w./*-]*)`")
READ = {".rs", ".py", ".sh", ".sql", ".toml", ".yaml", ".yml", ".md", ".ipynb"}


def main():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    wrong = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in READ and path.is_file():
            text = path.read_text()
            found = [*pages_of(path, text), *links_of(path, text), *paths_of(path, text)]
            if path.suffix != ".md":
                found += sources_of(text)
            wrong += [f"{name}:{line}: {sentence}" for line, sentence in found]
    wrong += cases()
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    sys.exit(1 if wrong else 0)


def line_of(text, place):
    return text.count("\n", 0, place) + 1


def headings(path):
    return HEADING.findall(CODE_BLOCK.sub("", path.read_text()))


def pages_of(path, text):
    """Yields (line, what is wrong) of every page of docs/design that is named."""
    # A heading may go on in the next line of a comment.
    joined = re.sub(r"\n\s*(?://[/!]?|#)? *", lambda found: " " * len(found[0]), text)
    for found in DESIGN.finditer(re.sub(r" {2,}", " ", joined)):
        page = ROOT / "docs" / "design" / found["page"]
        line = line_of(text, text.find(found["page"]))
        if not page.is_file():
            yield line, f"there is no docs/design/{found['page']}"
            continue
        known = headings(page)
        for heading in re.findall(r'"([^"]+)"', found["headings"]):
            if path.suffix != ".md" and heading not in known:
                yield line, f'docs/design/{found["page"]} has no heading "{heading}"'


def sources_of(text):
    """Yields (line, what is wrong) of every `Source:` in a comment."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        found = SOURCE.search(line)
        if not found or not (COMMENT.match(line) or line.strip().startswith("Source")):
            continue
        told = paragraph(lines, number, found["text"])
        first = told.split("; ")[0]
        named = DESIGN.search(first)
        if not (named and named["headings"]) and not LITERATURE.search(first):
            yield (
                number + 1,
                f'no source that a reader finds: "{told}"; name a heading of docs/design, '
                "or literature with its year",
            )


def paragraph(lines, number, text):
    """The text from a place to the end of its paragraph, without the marks of a comment."""
    is_comment = bool(COMMENT.match(lines[number]))
    words = [text]
    for line in lines[number + 1 :]:
        rest = COMMENT.sub("", line).strip()
        ends = not rest or rest.startswith(('"""', "```")) or SOURCE.search(line)
        if ends or bool(COMMENT.match(line)) != is_comment:
            break
        words.append(rest)
    return " ".join(words)


def links_of(path, text):
    """Yields (line, what is wrong) of every link of a Markdown page."""
    if path.suffix != ".md":
        return
    for found in LINK.finditer(CODE_BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)):
        target = found["target"] or found["picture"]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        led_to = (path.parent / name).resolve() if name else path
        line = line_of(text, text.find(target))
        if not led_to.exists():
            yield line, f"the link {target} leads nowhere"
        elif anchor and led_to.suffix == ".md" and anchor not in map(slug, headings(led_to)):
            yield line, f"the link {target} leads to no heading"


def cases():
    """Yields what is wrong with the ids of the contracts."""
    page = ROOT / "docs" / "design" / "callers.md"
    told = set(re.findall(r"^\| ([A-Z]{2}\d\d) \|", page.read_text(), re.MULTILINE))
    tests = {
        case.upper()
        for folder in ("tests/tests", "service/src")
        for path in (ROOT / folder).rglob("*.rs")
        for name in re.findall(r"\bfn ((?:[a-z]{2}\d\d_)+)", path.read_text())
        for case in name.rstrip("_").split("_")
    }
    yield from (f"docs/design/callers.md: no test is named {case}" for case in sorted(told - tests))
    yield from (
        f"docs/design/callers.md: no row for the test {case}" for case in sorted(tests - told)
    )


def paths_of(path, text):
    """Yields (line, what is wrong) of every path that a page for contributors names."""
    if path != ROOT / "CONTRIBUTING.md" and path.parent != ROOT / "docs" / "design":
        return
    for found in PATH.finditer(text):
        named = found["path"]
        folder = named.split("/")[0]
        if (ROOT / folder).is_dir() and not any(ROOT.glob(named.rstrip("/"))):
            yield line_of(text, found.start()), f"there is no {named}"


def slug(heading):
    """The anchor of a heading, as GitHub makes it."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")


if __name__ == "__main__":
    main()
