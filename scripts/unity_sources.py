#!/usr/bin/env python3
"""unity_sources.py OUT_DIR SOURCE...: writes files that include the sources of one target, up to 12 each (source_groups.py), and
prints the names of what is to be compiled instead of the sources, separated by semicolons. What is no C++ source stays as it is.
Sources are named from the root of the tree, which must be the working directory. A file that would not change is left alone.
"""
import os
import sys

from source_groups import grouped

MOST_SOURCES = 12


def write(path, content):
    if not os.path.exists(path) or open(path, encoding="utf-8").read() != content:
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)


def main():
    out, sources = sys.argv[1], sys.argv[2:]
    os.makedirs(out, exist_ok=True)
    groups = grouped([source for source in sources if source.endswith(".cpp")], MOST_SOURCES)
    compiled = [os.path.join(out, f"group{i}.cpp") for i in range(len(groups))]
    for path, group in zip(compiled, groups):
        write(path, group.text())
    others = [source for source in sources if not source.endswith(".cpp")]
    print(";".join(compiled + [os.path.abspath(source) for source in others]), end="")


main()
