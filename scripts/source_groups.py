"""Groups of our sources that compile as one file: of clang-tidy (tidy_batches.py), and of builds for sanitizers in CI
(unity_sources.py). Most of a source's time goes into the headers of LLVM, Protocol Buffers and the standard library, so it costs
little if it shares them with others.

Sources share a file if no name that one sees is another thing for another; constants of a source alone are renamed by macros,
since every table is called kRows. Declarations are read by our format: a name that is misread ends as an error of the compiler.
"""
import os
import re

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


class Group:
    def __init__(self, most_sources):
        self.sources, self.declared, self.most_sources = [], {}, most_sources

    def takes(self, source):
        return len(self.sources) < self.most_sources and all(
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


def grouped(paths, most_sources):
    """Groups of at most so many sources, in an order that the paths decide."""
    groups = []
    for path in paths:
        source = Source(path)
        group = next((group for group in groups if group.takes(source)), None)
        if group is None:
            group = Group(most_sources)
            groups.append(group)
        group.add(source)
    return groups
