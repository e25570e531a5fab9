#!/usr/bin/env python3
"""Holds the shape of the code: no circles of files, no function longer than a screen.

    scripts/check-house.py            fails on what scripts/house.toml does not allow
    scripts/check-house.py --report   prints the figures: circles, largest files, longest functions
    scripts/check-house.py --entries  prints what is found in the form of scripts/house.toml

A file depends on another of its crate when it names something that is defined there, by `use`, or
by a path in the code. What a module only passes on (`pub use`) is followed to where it is defined,
so that `super::Verdict` is a dependency on the file that has `Verdict`. That the head of a folder
(`mod.rs`) names what lies in the folder is no dependency: it is the door, and those inside may use
what stands in it. A circle is a set of files each of which depends, by way of the others, on
itself: none of them can be read, moved or tested alone. Tests inside a crate are left out: they may
look at everything.

A function has at most 60 lines, a test 90: a story is best read from its beginning to its end.

What is allowed stands in scripts/house.toml with its reason, and may only shrink: what is no longer
needed there fails too.
"""

import argparse
import collections
import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALLOWED = ROOT / "scripts" / "house.toml"
MOST_LINES = 60
MOST_LINES_OF_A_TEST = 90
REPORTED = 15

# What the compiler sees as one crate: where its files lie, and its first file.
CRATES = [path.parent / "src" for path in sorted(ROOT.glob("*/Cargo.toml"))] + [
    path.parent for path in sorted(ROOT.glob("*/tests/*/main.rs"))
]

IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
# Comments, texts and characters: what braces and names in them would confuse. A lifetime is no
# character.
NO_CODE = re.compile(
    r"//[^\n]*|/\*.*?\*/|\bb?r(?P<hashes>#*)\".*?\"(?P=hashes)|b?\"(?:\\.|[^\"\\])*\"|b?'(?:\\[^\n]+?|[^\\'\n])'",
    re.DOTALL,
)
USE = re.compile(r"(?P<public>pub(?:\([^)]*\))?\s+)?\buse\s+(?P<tree>[^;]+);")
PATH = re.compile(rf"\b(?:crate|super|self)(?:::{IDENTIFIER})+")
FUNCTION = re.compile(rf"\bfn\s+(?P<name>{IDENTIFIER})")
TEST_MODULE = re.compile(
    r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?mod\s+\w+\s*\{"
)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument(
        "--report", action="store_true", help="print the figures and allow everything"
    )
    arguments.add_argument("--entries", action="store_true", help="print what to allow")
    options = arguments.parse_args()
    sources = [Source(path) for folder in CRATES for path in sorted(folder.rglob("*.rs"))]
    crates = [
        Crate(folder, [source for source in sources if folder in source.path.parents])
        for folder in CRATES
    ]
    found = [circle for crate in crates for circle in crate.circles()]
    functions = [function for path in rust_files() for function in Source(path).functions()]
    if options.report or options.entries:
        (report if options.report else entries)(found, functions)
        return
    allowed = tomllib.loads(ALLOWED.read_text())
    wrong = wrong_circles(found, allowed["circles"]) + wrong_functions(
        functions, allowed["functions"]
    )
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    sys.exit(1 if wrong else 0)


def rust_files():
    folders = sorted({path.parent for path in ROOT.glob("*/Cargo.toml")})
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*.rs"))
        if "target" not in path.parts
    ]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


Function = collections.namedtuple("Function", "file name lines most")


class Source:
    """A file without its comments and texts, line by line where it was."""

    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        self.code = NO_CODE.sub(blank, self.text)

    def lines(self):
        return self.text.count("\n")

    def functions(self):
        """Yields a `Function` for every one with a body."""
        tests = blanked(self.code, self.without_tests())
        for found in FUNCTION.finditer(self.code):
            body = re.compile(r"[{;]").search(self.code, found.end())
            # A semicolon inside of brackets belongs to the type of an array.
            while body and body[0] == ";" and is_open(self.code[found.end() : body.start()]):
                body = re.compile(r"[{;]").search(self.code, body.end())
            if body is None or body[0] == ";":
                continue
            end = closing(self.code, body.start())
            is_test = self.is_of_tests() or tests[found.start()]
            lines = self.code.count("\n", found.start(), end) + 1
            most = MOST_LINES_OF_A_TEST if is_test else MOST_LINES
            yield Function(name_of(self.path), found["name"], lines, most)

    def is_of_tests(self):
        parts = self.path.relative_to(ROOT).parts
        return any(part in ("tests", "tests.rs") for part in parts[1:])

    def without_tests(self):
        code = self.code
        while found := TEST_MODULE.search(code):
            end = closing(code, found.end() - 1)
            code = code[: found.start()] + blank_text(code[found.start() : end]) + code[end:]
        return code


def blanked(before, after):
    """Of each place, whether it was taken out."""
    return [one != other for one, other in zip(before, after, strict=True)]


def is_open(text):
    return text.count("[") > text.count("]") or text.count("(") > text.count(")")


def blank(found):
    return blank_text(found[0])


def blank_text(text):
    return re.sub(r"[^\n]", " ", text)


def closing(code, opening):
    """The place after the brace that closes the one at `opening`."""
    depth = 0
    for found in re.compile(r"[{}]").finditer(code, opening):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return found.end()
    return len(code)


class Crate:
    """The files of a crate as modules, and what each takes from which other."""

    def __init__(self, folder, sources):
        self.folder = folder
        self.modules = {
            self.module_of(source.path): source for source in sources if self.is_production(source)
        }
        self.parts = {module: self.read(source) for module, source in self.modules.items()}

    def is_production(self, source):
        """Whether it is no test inside of a crate. Of a crate of tests everything counts."""
        inside = source.path.relative_to(self.folder).parts
        return self.folder.parent.name == "tests" or not any(
            part in ("tests", "tests.rs") for part in inside
        )

    def module_of(self, path):
        parts = list(path.relative_to(self.folder).with_suffix("").parts)
        if parts[-1] in ("mod", "lib", "main"):
            parts.pop()
        return tuple(parts)

    def read(self, source):
        """What a file passes on to others (name -> path), and the paths that it uses."""
        code = source.without_tests()
        passes_on, uses = {}, []
        body = USE.sub(lambda found: blank_text(found[0]), code)
        for found in USE.finditer(code):
            for path, name in leaves(found["tree"]):
                passes_on.setdefault(name, path)
                # What is only passed on is no dependency of the file that does it.
                if not found["public"] or re.search(rf"\b{re.escape(name)}\b", body):
                    uses.append(path)
        uses += [found[0].split("::") for found in PATH.finditer(body)]
        # A child is named without `self` too: `child::function()`.
        for child in re.finditer(rf"(?<![:\w])({IDENTIFIER})::", body):
            uses.append(["self", child[1], "?"])
        return passes_on, uses

    def defined_in(self, module, path, seen=()):
        """The module of this crate that a path from a module ends in; None outside of the crate."""
        path = list(path)
        if path and path[0] == "crate":
            at, path = (), path[1:]
        elif path and path[0] in ("self", "super"):
            at = module
            while path and path[0] in ("self", "super"):
                at = at[:-1] if path.pop(0) == "super" else at
        elif path and (module + (path[0],)) in self.modules:
            at = module
        elif path and path[0] in self.parts[module][0] and (module, path[0]) not in seen:
            brought = self.parts[module][0][path[0]]
            return self.defined_in(module, [*brought, *path[1:]], (*seen, (module, path[0])))
        else:
            return None
        while path and (at + (path[0],)) in self.modules:
            at, path = at + (path[0],), path[1:]
        if at not in self.modules:
            return None
        name = path[0] if path else None
        brought = self.parts[at][0].get(name)
        if brought is None or (at, name) in seen:
            return at
        followed = self.defined_in(at, brought, (*seen, (at, name)))
        return followed if followed is not None else at

    def dependencies(self):
        edges = collections.defaultdict(set)
        for module, (_, uses) in self.parts.items():
            for path in uses:
                is_guess = path[-1] == "?"
                if is_guess and (module + (path[1],)) not in self.modules:
                    continue
                target = self.defined_in(module, path[:-1] if is_guess else path)
                if target is not None and not lies_in(target, module):
                    edges[module].add(target)
        return edges

    def circles(self):
        """Sets of files that depend on each other, as sorted names."""
        edges = self.dependencies()
        return [
            sorted(name_of(self.modules[module].path) for module in component)
            for component in components(self.modules, edges)
            if len(component) > 1
        ]


def lies_in(module, folder):
    """Whether a module is another one, or lies in its folder."""
    return module[: len(folder)] == folder


def leaves(tree):
    """Yields (path, name it is known by) of a `use`: `a::{b, c as d}` gives a::b, b and a::c, d."""
    tree = " ".join(tree.split())
    stack, prefix, word = [], [], ""
    renamed = re.compile(rf"^({IDENTIFIER}|\*) as ({IDENTIFIER})$")
    # Written out: walks characters, since groups nest.
    for character in [*tree, ","]:
        if character == "{":
            stack.append(prefix)
            prefix = prefix + [part for part in word.split("::") if part.strip()]
            word = ""
        elif character in ",}":
            word = word.strip()
            if word:
                *path, last = [part.strip() for part in word.split("::")]
                found = renamed.match(last)
                last, name = (found[1], found[2]) if found else (last, last)
                whole = prefix + path + ([] if last == "self" else [last])
                yield whole, name if last != "self" or found else whole[-1]
            word = ""
            if character == "}":
                prefix = stack.pop()
        else:
            word += character


def components(nodes, edges):
    """Tarjan's strongly connected components, without recursion.

    Source: R. Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1 (1972),
    146-160.
    """
    index, low, stack, on_stack, found = {}, {}, [], set(), []
    for root in nodes:
        if root in index:
            continue
        work = [(root, iter(sorted(edges.get(root, ()))))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = set()
                    while node not in component:
                        component.add(stack.pop())
                    on_stack -= component
                    found.append(component)
            elif following not in index:
                index[following] = low[following] = len(index)
                stack.append(following)
                on_stack.add(following)
                work.append((following, iter(sorted(edges.get(following, ())))))
            elif following in on_stack:
                low[node] = min(low[node], index[following])
    return found


def wrong_circles(found, allowed):
    wrong = []
    known = [set(circle["files"]) for circle in allowed]
    for circle in found:
        if not any(set(circle) <= files for files in known):
            wrong.append(f"files that depend on each other in a circle: {', '.join(circle)}")
    for files in known:
        if not any(set(circle) == files for circle in found):
            wrong.append(
                f"scripts/house.toml allows a circle that is smaller now: "
                f"{', '.join(sorted(files))}"
            )
    return wrong


def wrong_functions(functions, allowed):
    wrong = []
    known = {(entry["file"], entry["name"]): entry["lines"] for entry in allowed}
    for function in longest(functions):
        most = known.pop((function.file, function.name), None)
        if most is None and function.lines > function.most:
            wrong.append(
                f"{function.file}: fn {function.name} has {function.lines} lines, and "
                f"{function.most} are allowed: take it apart"
            )
        elif most is not None and function.lines != most:
            wrong.append(
                f"scripts/house.toml allows {most} lines of fn {function.name} in {function.file}, "
                f"which has {function.lines}: it may only shrink"
            )
    wrong += [
        f"scripts/house.toml names fn {name} in {file}, which is gone" for file, name in known
    ]
    return wrong


def longest(functions):
    """The longest of each name in each file."""
    found = {}
    for function in sorted(functions, key=lambda one: one.lines):
        found[function.file, function.name] = function
    return sorted(found.values())


def report(circles, functions):
    print(f"{len(circles)} circles of files, {sum(map(len, circles))} files in them")
    for circle in circles:
        print(f"  {len(circle)}: {', '.join(circle)}")
    sizes = sorted(((Source(path).lines(), name_of(path)) for path in rust_files()), reverse=True)
    middle = sizes[len(sizes) // 2][0]
    print(f"{len(sizes)} files, {sum(size for size, _ in sizes)} lines, {middle} in the middle one")
    for size, name in sizes[:REPORTED]:
        print(f"  {size:5} {name}")
    long = [one for one in functions if one.lines > MOST_LINES]
    kept = sum(one.most == MOST_LINES for one in long)
    print(
        f"{len(functions)} functions, {len(long)} over {MOST_LINES} lines, {kept} of them no tests"
    )
    for one in sorted(long, key=lambda one: -one.lines):
        print(f"  {one.lines:5} {one.file} fn {one.name}")


def entries(circles, functions):
    for circle in circles:
        listed = "".join(f'    "{file}",\n' for file in circle)
        print(f'[[circles]]\nfiles = [\n{listed}]\nreason = ""\n')
    for one in longest(functions):
        if one.lines > one.most:
            print(f'[[functions]]\nfile = "{one.file}"\nname = "{one.name}"')
            print(f'lines = {one.lines}\nreason = ""\n')


if __name__ == "__main__":
    main()
