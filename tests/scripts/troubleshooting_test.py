#!/usr/bin/env python3
"""Fails if a message in docs/guide/troubleshooting.md is none that the source says, or a page that it names is not there."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/guide/troubleshooting.md"


def source():
    """All strings of the source, with those that follow each other joined."""
    text = "\n".join(path.read_text() for folder in ("compiler", "passes", "runtime", "tools", "models")
                     for path in sorted((ROOT / folder).rglob("*.cpp")))
    return re.sub(r'"\s*\n?\s*"', "", text)


def main():
    page, said = GUIDE.read_text(), source()
    messages = re.findall(r"^\| `([^`]+)`", page, re.M)
    wrong = [f"no such message: {message}" for message in messages if message not in said]
    for named in re.findall(r"`([\w/-]+\.md)`", page):
        if not (ROOT / named).exists() and not (GUIDE.parent / named).exists():
            wrong.append(f"no such page: {named}")
    if len(messages) < 20 or wrong:
        sys.exit("\n".join(wrong or ["the page has lost its messages"]))
    print(f"{len(messages)} messages")


main()
