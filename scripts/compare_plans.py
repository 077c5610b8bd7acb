#!/usr/bin/env python3
"""Compiles every model of the repository on many meshes with two builds, and compares the plans byte for byte.

    scripts/compare_plans.py --before OLD/build/release/bin --after build/release/bin

For a change that is to leave every plan as it is. Prints a row for each set of flags, then what differs; exit code 1 where
anything does. A model that both builds refuse in the same words counts as equal, and is counted apart.
"""
import argparse
import concurrent.futures
import filecmp
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
MESHES = ["--tp 1 --dp 1 --zero 0", "--tp 2 --dp 1 --zero 0", "--tp 1 --dp 2 --zero 2", "--tp 2 --dp 2 --zero 2", "--tp 4 --dp 1 --zero 1",
          "--tp 2 --dp 4 --zero 3", "--tp 3 --dp 2 --zero 3", "--tp 5 --dp 1 --zero 0", "--tp 8 --dp 1 --zero 1"]
FLAGS = ["", "--shard all", "--shard all --sequence-parallel", "--shard all --recompute layer", "--no-recognise", "--dtype bf16",
         "--dtype fp16 --device cuda", "--grad-accum 2 --clip-grad-norm 1", "--optimizer sgd"]


def models():
    found = [path for folder in ("models", "tests/fixtures") for path in sorted((ROOT / folder).rglob("*.onnx"))]
    return [path.parent if path.name == "training_model.onnx" else path for path in found if path.name != "optimizer_model.onnx"]


def sizes(model):
    """--shape for what the model's recorded run says of its dynamic dimensions."""
    expected = (model if model.is_dir() else model.parent) / "expected.json"
    if not expected.exists():
        return []
    return [f"--shape={name}={size}" for name, size in json.loads(expected.read_text()).get("sizes", {}).items()]


def files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def compile_with(bin_folder, model, flags, plan):
    command = [bin_folder / "autotp-compile", model, "--micro-batch", "2", "--no-verify", *sizes(model), *flags.split(), "-o", plan]
    run = subprocess.run(command, capture_output=True, text=True)
    return run.returncode, run.stderr


def compare(before, after, model, flags):
    with tempfile.TemporaryDirectory() as scratch:
        folders = [pathlib.Path(scratch) / name for name in ("before", "after")]
        ends = [compile_with(program, model, flags, folder) for program, folder in zip((before, after), folders)]
        if ends[0][0] != 0 and ends[0] == ends[1]:
            return "refused"
        if ends[0][0] != 0 or ends[1][0] != 0:
            return "differs: " + " / ".join(f"exit {code} {text.strip()[:200]}" for code, text in ends)
        if files(folders[0]) != files(folders[1]):
            return "differs: other files"
        changed = [str(name) for name in files(folders[0]) if not filecmp.cmp(folders[0] / name, folders[1] / name, shallow=False)]
        return "differs: " + ", ".join(changed) if changed else "equal"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=pathlib.Path, required=True, help="bin folder of the build before the change")
    parser.add_argument("--after", type=pathlib.Path, required=True, help="bin folder of the build after it")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="only each N-th combination of model, mesh and flags")
    options = parser.parse_args()
    jobs = [(model, mesh, flags) for flags in FLAGS for mesh in MESHES for model in models()][::options.every]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        found = list(pool.map(lambda job: compare(options.before, options.after, job[0], f"{job[1]} {job[2]}"), jobs))
    print(f"{'flags':<36}{'equal':>8}{'refused alike':>15}{'differ':>8}")
    for flags in FLAGS:
        of_flags = [result for job, result in zip(jobs, found) if job[2] == flags]
        differ = len(of_flags) - of_flags.count("equal") - of_flags.count("refused")
        print(f"{flags or '(none)':<36}{of_flags.count('equal'):>8}{of_flags.count('refused'):>15}{differ:>8}")
    print(f"{len(models())} models, {len(MESHES)} meshes: {len(jobs)} pairs of plans")
    different = [(job, result) for job, result in zip(jobs, found) if result.startswith("differs")]
    for (model, mesh, flags), result in different:
        print(f"{model.relative_to(ROOT)} {mesh} {flags}: {result}")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
