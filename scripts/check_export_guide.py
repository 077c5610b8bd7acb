#!/usr/bin/env python3
"""Runs docs/guide/export.md: every block, in order, in one folder; the losses that are printed must be PyTorch's.

Usage: scripts/check_export_guide.py [--python PYTHON] [--bin DIR] [--keep DIR]

Needs the packages of models/export/requirements.txt in the environment of PYTHON, and the commands in DIR (build/release/bin).
  ```python   its first line names the file that it becomes: # own.py
  ```sh       is run. A line "pytorch, within 1e-4: 4.8102 4.7713" that it prints says the losses of what autotp-run trains after it
  ```text     lines that the block before has printed; where one ends with "...", so begins a line that was printed. Where one
              begins with "error:", the block must have failed
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "guide" / "export.md"
ROUNDING = 1e-4  # both programs print four decimals


@dataclass
class Block:
    language: str
    text: str
    line: int  # of the page


@dataclass
class Losses:
    within: float
    values: list[float]


def blocks_of(page: str) -> list[Block]:
    return [Block(found[1], found[2], page.count("\n", 0, found.start()) + 1)
            for found in re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]


def fail(block: Block, what: str, output: str = "") -> None:
    sys.exit(f"{output}\nerror: {PAGE.relative_to(ROOT)}:{block.line}: {what}")


class Checker:
    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder, self.environment = folder, environment
        self.output, self.code = "", 0
        self.expected: Losses | None = None
        self.compared = 0

    def check(self, blocks: list[Block]) -> None:
        for block, after in zip(blocks, blocks[1:] + [None]):
            may_fail = after is not None and after.language == "text" and "error:" in after.text
            if block.language == "python":
                self.write(block)
            elif block.language == "sh":
                self.run(block, may_fail)
            elif block.language == "text":
                self.find_lines(block)
            else:
                fail(block, f"nothing says how to check a block of {block.language}")

    def write(self, block: Block) -> None:
        name = re.match(r"# (\S+\.py)\n", block.text)
        if not name:
            fail(block, "its first line names no file: # own.py")
        (self.folder / name[1]).write_text(block.text)

    def run(self, block: Block, may_fail: bool) -> None:
        result = subprocess.run(["bash", "-e", "-c", block.text], cwd=self.folder, env=self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output, self.code = result.stdout, result.returncode
        if self.code and not may_fail:
            fail(block, f"it ended with {self.code}", self.output)
        self.compare_losses(block)

    def compare_losses(self, block: Block) -> None:
        """PyTorch's losses, and then those of each training on them."""
        trained: list[float] = []
        for line in self.output.splitlines():
            if told := re.match(r"pytorch, within (\S+):((?: \d+\.\d+)+)$", line):
                self.expected = Losses(float(told[1]), [float(loss) for loss in told[2].split()])
            elif step := re.match(r"step (\d+)/(\d+) loss (\S+) ", line):
                if not self.expected:
                    fail(block, "it trains, and no block said PyTorch's losses")
                truth = self.expected.values[int(step[1]) - 1]
                if abs(float(step[3]) - truth) > self.expected.within * truth + ROUNDING:
                    fail(block, f"the loss of step {step[1]} is {step[3]}, PyTorch's {truth}", self.output)
                trained.append(float(step[3]))
        if "autotp-run" in block.text and not self.code and not trained:
            fail(block, "it trained no step", self.output)
        self.compared += len(trained)

    def find_lines(self, block: Block) -> None:
        printed = [" ".join(line.split()) for line in self.output.splitlines()]
        for line in block.text.splitlines():
            wanted = " ".join(line.split())
            if wanted.startswith("error:") and not self.code:
                fail(block, "the block before it did not fail", self.output)
            begin = wanted.removesuffix("...")
            if not any(got == wanted or begin != wanted and got.startswith(begin) for got in printed):
                fail(block, f"the block before it did not print '{wanted}'", self.output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="with torch and transformers; this one by default")
    parser.add_argument("--bin", default=ROOT / "build" / "release" / "bin", type=Path, help="folder of autotp-compile")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="run there, and leave what was made")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(arguments.bin.resolve()), str(Path(arguments.python).absolute().parent), os.environ["PATH"]])
        checker = Checker(folder, os.environ | {"PATH": path, "PYTHONWARNINGS": "ignore"})
        blocks = blocks_of(PAGE.read_text())
        checker.check(blocks)
        print(f"{PAGE.relative_to(ROOT)}: {len(blocks)} blocks, {checker.compared} losses as PyTorch's")


main()
