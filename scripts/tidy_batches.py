#!/usr/bin/env python3
"""tidy_batches.py BUILD_DIR OUT_DIR: groups our sources for check_tidy.sh.

OUT_DIR gets files that include up to 20 sources each, with the same flags (source_groups.py), and a compile_commands.json for
them and for single sources.
"""
import json
import os
import shlex
import shutil
import subprocess
import sys

from source_groups import grouped, text

FOLDERS = ("compiler", "passes", "runtime", "tools", "models", "bench")
MOST_SOURCES = 20
# Not checked: clang 14 knows no __builtin_cpu_supports("x86-64-v3").
UNREADABLE = {"runtime/device/cpu/instruction_sets.cpp"}


def flags(entry):
    """What a source is compiled with, as clang 14 understands it."""
    words = shlex.split(entry["command"])[1:-2]
    at = words.index("-o")
    words = [word for word in words[:at] + words[at + 2:] if word != "-fno-tree-pre"]
    if "-march=x86-64-v3" in words:
        words.append("-mavx512fp16")  # or there is no _Float16
    return words


def batches(commands):
    """Pairs of a command and the group that it compiles, the longest first."""
    alike = {}
    for path, command in commands.items():
        alike.setdefault(tuple(command), []).append(path)
    pairs = [(command, group) for command, paths in alike.items() for group in grouped(paths, MOST_SOURCES)]
    return sorted(pairs, key=lambda pair: -len(pair[1].sources))


def write(path, content):
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def main():
    build, out = sys.argv[1], os.path.abspath(sys.argv[2])
    ours = set(subprocess.run(["git", "ls-files", "--"] + [f"{folder}/*.cpp" for folder in FOLDERS], check=True,
                              capture_output=True, text=True).stdout.split()) - UNREADABLE
    commands = {}
    for entry in json.loads(text(os.path.join(build, "compile_commands.json"))):
        path = os.path.relpath(entry["file"])
        # A kernel of the cpu device is compiled for several instruction sets, with the same text.
        if path in ours and (path not in commands or "-march=x86-64-v3" in entry["command"]):
            commands[path] = flags(entry)

    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    vector = os.path.abspath("cmake/clang14_vector.h")
    files = [(os.path.abspath(path), command) for path, command in commands.items()]
    for i, (command, batch) in enumerate(batches(commands)):
        path = os.path.join(out, f"batch{i:02}.cpp")
        write(path, batch.text())
        files.append((path, command))
    write(os.path.join(out, "compile_commands.json"),
          json.dumps([{"directory": out, "file": path, "arguments": ["c++", *command, "-include", vector, "-c", path]}
                      for path, command in files], indent=1))


main()
