#!/usr/bin/env python3
"""Measures the shape of the source, and bounds it: lengths of files and functions, chains of includes, and in how many
files of the source each kind of addition leaves its name.

    scripts/shape.py

Exit code 1 if a bound is broken. Source: compiler, passes, runtime, tools and models; tests are measured but for functions.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ("compiler", "passes", "runtime", "tools", "models")
EXTENSIONS = {".h", ".cpp", ".cu", ".cuh", ".def", ".proto"}
CONTROL = re.compile(r"^\s*(if|for|while|switch|else|do|try|catch|namespace|struct|class|enum|union|extern|return)\b")
# What stands for each kind of addition: a word that only it has, and in how many files of the source it may stand.
PLACES = [("operator", "top_k", r'"top_k"', 4), ("kernel", "CumSum", r"KernelId::CumSum\b|, CumSum,", 4), ("pass", "restore-biases", r"restoreBiases\b|restore-biases", 3),
          ("option", "--bucket-mb", r"bucket-mb|bucketMb", 3), ("option of a run", "--save-weights", r"save-weights|saveWeights", 3),
          ("communicator", "nccl", r'"nccl"', 1), ("launcher", "torchrun", r'"torchrun"', 1)]


def files(folders):
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*") if p.suffix in EXTENSIONS)


def functions(path):
    """(lines, first line) of each function: from the line of its opening brace to the brace that closes it there."""
    lines = path.read_text().splitlines()
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if not line.endswith("{") or "(" not in line and ")" not in line or CONTROL.match(line) or indent > 4:
            continue
        if "=" in line or "[" in line and "](" in line.replace(" ", ""):
            continue  # a table, or a lambda
        if line.lstrip().startswith(":"):
            indent -= 4  # the members of a constructor, under its name
        for j in range(i + 1, len(lines)):
            if lines[j].startswith(" " * indent + "}"):
                yield j - i + 1, i + 1
                break


def chains(paths):
    """The longest chain of the project's own includes from each file."""
    known, depth = {}, {}

    def included(path):
        if path not in known:
            found = re.findall(r'^#include "([^"]+)"', path.read_text(), re.M)
            known[path] = [ROOT / name for name in found if (ROOT / name).exists() and not name.endswith(".def")]
        return known[path]

    def chain(path):
        if path not in depth:
            depth[path] = 1 + max((chain(other) for other in included(path)), default=0)
        return depth[path]

    return {path: chain(path) for path in paths}


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main():
    broken = False

    def row(what, value, bound, where=""):
        nonlocal broken
        broken |= value > bound
        print(f"{what:<44}{value:>6} of {bound:>4}{'  BROKEN' if value > bound else ''}  {where}".rstrip())

    source, tests = files(SOURCE), files(("tests", "bench"))
    lengths = {p: len(p.read_text().splitlines()) for p in source + tests if p.suffix != ".proto"}
    longest = max(lengths, key=lengths.get)
    row("lines of a file, 90th percentile", percentile([lengths[p] for p in source if p in lengths], 0.9), 260)
    row("lines of a file, most", lengths[longest], 400, longest.relative_to(ROOT))
    all_functions = [(n, p, at) for p in source for n, at in functions(p)]
    n, path, at = max(all_functions)
    row("lines of a function, 90th percentile", percentile([f[0] for f in all_functions], 0.9), 25)
    row("lines of a function, most", n, 60, f"{path.relative_to(ROOT)}:{at}")
    depth = chains(source)
    deepest = max(depth, key=depth.get)
    row("chain of includes, most", depth[deepest], 8, deepest.relative_to(ROOT))
    texts = {p: p.read_text() for p in source}
    for kind, example, pattern, bound in PLACES:
        found = [p for p, text in texts.items() if re.search(pattern, text)]
        row(f"files that name one {kind} ({example})", len(found), bound, " ".join(str(p.relative_to(ROOT)) for p in found))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
