#!/usr/bin/env python3
"""tidy_batches.py BUILD_DIR OUT_DIR: groups our sources for check_tidy.sh.

Most of clang-tidy's time goes into the headers of LLVM, Protocol Buffers and the standard library, so a source costs little if
it shares them with others: OUT_DIR gets files that include up to 20 sources each, and a compile_commands.json for them and for
single sources. Sources share a file if they are compiled with the same flags and no name that one sees is another thing for
another; constants of a source alone are renamed by macros, since every table is called kRows.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

FOLDERS = ("compiler", "passes", "runtime", "tools", "models", "bench")
MOST_SOURCES = 20
# Not checked: clang 14 knows no __builtin_cpu_supports("x86-64-v3").
UNREADABLE = {"runtime/device/cpu/instruction_sets.cpp"}
# libstdc++ 12's vector is constexpr, so clang 14 instantiates it at once, also for the incomplete type in LLVM's JSON.h.
VECTOR = """#include <memory>
#include <string>
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR
#define __fill_a1 __fill_a1_of_bits
#include <vector>
#undef __fill_a1
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR constexpr
"""
TYPE = re.compile(r"^using [\w:]+::(\w+);|^(?:template <.*> )?(?:struct|class|enum class|using) (\w+)\b(?!;|::)", re.M)
VALUE = re.compile(r"^(?!using |struct |class |enum |namespace )\w[\w:<>,&* ]*?[ *&](\w+)(?:\[.*?\])*(?: =|\{|;)", re.M)
FUNCTION = re.compile(r"^\w[\w:<>,&* ]*?[ *&](\w+\([^()]*\))", re.M)
CONSTANT = re.compile(r"\b(k[A-Z]\w*)(?:\[\w*\])* (?:=|\{)")


def text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def constants(path):
    """The constants of a namespace, whose lines begin in the first column."""
    return {name for line in text(path).splitlines() if line[:1] not in ("", " ") for name in CONSTANT.findall(line)}


def names(path):
    """What a file declares in a namespace: as our format has it, in the first column."""
    source = text(path)
    signatures = {re.sub(r" ?\w+(?=[,)])|\s", "", function) for function in FUNCTION.findall(source)}
    types = {name for names in TYPE.findall(source) for name in names if name}
    return types | set(VALUE.findall(source)) | signatures | constants(path)


def headers(path, known={}):
    """The headers of ours that a file includes, also through others."""
    if path not in known:
        known[path] = set()
        for header in re.findall(r'^#include "([^"]+)"', text(path), re.M):
            if os.path.exists(header):
                known[path] |= {header} | headers(header)
    return known[path]


class Source:
    def __init__(self, path):
        self.path = path
        self.declared = {name: header for header in sorted(headers(path)) for name in names(header)}
        self.renamed = constants(path) - self.declared.keys()
        self.declared.update({name: path for name in names(path) - self.declared.keys() - self.renamed})


class Batch:
    def __init__(self):
        self.sources, self.declared = [], {}

    def takes(self, source):
        return len(self.sources) < MOST_SOURCES and all(
            self.declared.get(name, place) == place for name, place in source.declared.items())

    def add(self, source):
        self.sources.append(source)
        self.declared.update(source.declared)

    def text(self):
        lines = []
        for i, source in enumerate(self.sources):
            renamed = sorted(source.renamed)
            lines += [f"#define {name} {name}{i}" for name in renamed]
            lines.append(f'#include "{os.path.abspath(source.path)}" // NOLINT(bugprone-suspicious-include)')
            lines += [f"#undef {name}" for name in renamed]
        return "\n".join(lines) + "\n"


def flags(entry):
    """What a source is compiled with, as clang 14 understands it."""
    words = shlex.split(entry["command"])[1:-2]
    at = words.index("-o")
    words = [word for word in words[:at] + words[at + 2:] if word != "-fno-tree-pre"]
    if "-march=x86-64-v3" in words:
        words.append("-mavx512fp16")  # or there is no _Float16
    return words


def grouped(commands):
    """Pairs of a command and the batch that it compiles, the longest first."""
    batches = {}
    for path, command in commands.items():
        alike = batches.setdefault(tuple(command), [])
        source = Source(path)
        batch = next((batch for batch in alike if batch.takes(source)), None)
        if batch is None:
            batch = Batch()
            alike.append(batch)
        batch.add(source)
    pairs = [(command, batch) for command, alike in batches.items() for batch in alike]
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
    vector = os.path.join(out, "vector.h")
    write(vector, VECTOR)
    files = [(os.path.abspath(path), command) for path, command in commands.items()]
    for i, (command, batch) in enumerate(grouped(commands)):
        path = os.path.join(out, f"batch{i:02}.cpp")
        write(path, batch.text())
        files.append((path, command))
    write(os.path.join(out, "compile_commands.json"),
          json.dumps([{"directory": out, "file": path, "arguments": ["c++", *command, "-include", vector, "-c", path]}
                      for path, command in files], indent=1))


main()
