#!/usr/bin/env python3
"""Writes the exports and the numbers of all model families, or of those named.

Usage: models/export/all.py [NAME]...      needs the packages of models/export/requirements.txt
"""
import argparse
import importlib.util
from pathlib import Path

from record import record
from recipe import Recipe

MODELS = Path(__file__).resolve().parent.parent


def recipe_of(script: Path) -> Recipe:
    """What the family's export.py makes."""
    spec = importlib.util.spec_from_file_location(script.parent.name, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.recipe()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="folders of models/; default: all with an export.py")
    names = parser.parse_args().names or sorted(script.parent.name for script in MODELS.glob("*/export.py"))
    for name in names:
        print(record(name, recipe_of(MODELS / name / "export.py"), MODELS / name), flush=True)


main()
