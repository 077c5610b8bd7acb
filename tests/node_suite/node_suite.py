"""Trains ONNX's own examples of nodes as small graphs, at tp 1 and tp 2, and compares losses and gradients.

An example is equal where all of its graphs that are not refused have the example's outputs and the gradients that
differences of ONNX's reference evaluator give. The last lines count; the exit code is 1 where a number is wrong, a plan
is not proven, a command breaks, but for the examples that known_faults.txt lists, or fewer examples than --least are
equal.
"""

import argparse
import collections
import json
import random
import re
import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnx

import cases
import differences
from product import Product
from training_graph import PARAMETER, TrainingGraph

TOLERANCE, SMALL_TOLERANCE = 2e-5, 2e-2  # of losses, relative to the sizes of what is summed
GRADIENT_TOLERANCE, SMALL_GRADIENT_TOLERANCE = 1e-3, 3e-2
BAD = ("wrong", "unproven", "broken")
CASES = {}  # by name, read before the processes that share them are forked


def operator_of(model) -> str:
    plain = ("Constant", "Identity", "SequenceConstruct", "Optional")
    names = [n.op_type for n in model.graph.node]
    return next((n for n in names if n not in plain), names[0])


def standard_of(case):
    """What an example in expanded form is the expansion of, else itself."""
    return CASES.get(re.sub(r"_expanded.*$", "", case.name), case)


def constant_choices(case, fed):
    """Which inputs are constants: none; then the small ones, which may be sizes and axes; then all but the first."""
    yield frozenset()
    small = {n for n, v in case.inputs.items() if v.ndim <= 1 and (fed or cases.is_float(v))}
    others = set(list(case.inputs)[1:])
    for choice in (small, others):
        if choice:
            yield frozenset(choice)


class Judge:
    """Compares what was trained with the example and its reference."""

    def __init__(self, case, standard):
        self.case, self.standard, self.slopes = case, standard, {}
        arrays = list(case.inputs.values()) + list(case.outputs.values())
        self.is_small = any(cases.is_small(a) for a in arrays)

    def slopes_of(self, graph, name):
        if name not in self.slopes:
            try:
                if operator_of(self.standard.model) in ("Cast", "CastLike"):
                    raise ValueError("differences do not see through a cast")
                self.slopes[name] = differences.Reference(graph, self.standard).slopes(name)
            except Exception:  # the reference lacks the operator, or the float64 form of it
                self.slopes[name] = None
        return self.slopes[name]

    def faults(self, graph, outcome) -> list:
        tolerance = SMALL_TOLERANCE if self.is_small else TOLERANCE
        room = tolerance * graph.scale + 1e-5 + 2e-6 * abs(graph.loss)
        faults = []
        if not abs(outcome.loss - graph.loss) <= room:
            faults.append(f"the loss is {outcome.loss!r}, not {graph.loss!r}")
        for name in graph.parameters:
            faults += self.gradient_faults(graph, name, outcome.gradients.get(PARAMETER + name))
        return faults

    def gradient_faults(self, graph, name, gradient) -> list:
        slopes = self.slopes_of(graph, name)
        if slopes is None:
            return []
        values = np.zeros(graph.parameters[name].size) if gradient is None else gradient.reshape(-1)
        noisy = any(s.is_noise() for s in slopes)
        near = [abs(s.near) for s in slopes if np.isfinite(s.near) and abs(s.near) < 1e3]
        tolerance = SMALL_GRADIENT_TOLERANCE if self.is_small else GRADIENT_TOLERANCE
        judged = [(s, differences.judge(s, values[s.index], tolerance, max(near, default=0.0), noisy)) for s in slopes]
        wrong = [s for s, verdict in judged if verdict is not None and not verdict]
        if not wrong:
            return []
        first = wrong[0]
        return [
            f"the gradient of {name} differs at {len(wrong)} of {len(slopes)} places:"
            f" [{first.index}] is {values[first.index]:.6g}, not {first.near:.6g}"
        ]


def agree(one, two, is_small) -> list:
    """The gradients at tp 2 are those at tp 1."""
    faults = []
    for name, gradient in two.gradients.items():
        whole = one.gradients[name]
        finite = np.isfinite(whole)
        room = (5e-2 if is_small else 1e-4) * max(1.0, np.abs(whole[finite]).max(initial=0.0))
        if not np.array_equal(finite, np.isfinite(gradient)) or np.any(np.abs((gradient - whole)[finite]) > room):
            faults.append(f"the gradient of {name} differs between tp 1 and tp 2")
    return faults


def verdict_of(product, judge, graph, outcome, tp):
    if outcome.kind == "trained":
        faults = judge.faults(graph, outcome)
        return ("wrong", "; ".join(faults)) if faults else ("equal", "")
    if outcome.kind != "unproven":
        return outcome.kind, outcome.text
    unverified = product.train(graph, tp, verifies=False)
    faults = judge.faults(graph, unverified) if unverified.kind == "trained" else ["no numbers"]
    return "unproven", f"[{'; '.join(faults) or 'its numbers are right'}] {outcome.text}"


def run_mode(product, case, judge, fed) -> dict:
    for constants in constant_choices(case, fed):
        graph = TrainingGraph(case, fed, constants)
        one = product.train(graph, 1)
        if one.kind != "refused":
            break
    verdicts = {1: verdict_of(product, judge, graph, one, 1)}
    if verdicts[1][0] == "equal":
        two = product.train(graph, 2)
        verdicts[2] = verdict_of(product, judge, graph, two, 2)
        if verdicts[2][0] == "equal" and (faults := agree(one, two, judge.is_small)):
            verdicts[2] = "wrong", "; ".join(faults)
    return {f"{'fed' if fed else 'trained'}, tp {tp}": verdict for tp, verdict in verdicts.items()}


def run_case(binaries, name):
    """An example, and by graph what became of it."""
    case = CASES[name]
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    if case.skipped:
        return case.name, {"": ("skipped", case.skipped)}
    results = {}
    with tempfile.TemporaryDirectory(prefix="node_suite_") as folder:
        judge = Judge(case, standard_of(case))
        for fed in (False, True):
            results.update(run_mode(Product(binaries, folder), case, judge, fed))
    return case.name, results


def verdict(results) -> str:
    kinds = [kind for kind, _ in results.values()]
    return next((k for k in (*BAD, "equal", "refused", "skipped") if k in kinds), "refused")


def report(rows, operators) -> collections.Counter:
    table = collections.defaultdict(collections.Counter)
    for name, results in rows:
        table[operators[name]][verdict(results)] += 1
    kinds = ("equal", "refused", *BAD, "skipped")
    print(f"{'operator':28s}" + "".join(f"{kind:>9s}" for kind in kinds))
    for operator, counts in sorted(table.items()):
        print(f"{operator:28s}" + "".join(f"{counts[kind]:9d}" for kind in kinds))
    for name, results in rows:
        for graph, (kind, text) in results.items():
            if kind in BAD or (graph.endswith("tp 2") and kind != "equal"):
                print(f"{kind.upper()} {name} ({graph}): {text[:400]}")
    return sum(table.values(), collections.Counter())


def unexpected(rows) -> list:
    """Faults that are not known. Known ones that are none are told: they can be taken out of the list."""
    lines = (Path(__file__).parent / "known_faults.txt").read_text().splitlines()
    known = {line.split("#")[0].strip() for line in lines} - {""}
    faults = {name for name, results in rows if verdict(results) in BAD}
    for name in sorted(known & {name for name, _ in rows} - faults):
        print(f"{name} is no fault any more: take it out of known_faults.txt")
    return [f"{name} is a fault" for name in sorted(faults - known)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin", help="folder of autotp-compile and autotp-run")
    parser.add_argument("--only", default="", metavar="REGEX", help="examples whose names match")
    parser.add_argument("--share", type=int, default=1, metavar="N", help="one of N examples, drawn by the seed")
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--jobs", type=int, default=1, help="examples at a time")
    parser.add_argument("--least", type=int, default=0, metavar="N", help="fail where fewer are equal")
    parser.add_argument("--json", metavar="FILE", help="write what became of each graph")
    arguments = parser.parse_args()
    CASES.update((case.name, case) for case in cases.load())
    chosen = [name for name in CASES if re.search(arguments.only, name)]
    if arguments.share > 1:
        chosen = random.Random(arguments.seed).sample(chosen, len(chosen) // arguments.share)
    operators = {name: operator_of(standard_of(CASES[name]).model) for name in chosen}
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("fork")) as pool:
        rows = []
        for row in pool.map(partial(run_case, arguments.bin), chosen):
            rows.append(row)
            if len(rows) % 100 == 0:
                print(f"{len(rows)} of {len(chosen)}", file=sys.stderr, flush=True)
    totals = report(rows, operators)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump([dict(name=n, operator=operators[n], verdict=verdict(r), graphs=r) for n, r in rows], file, indent=1)
    print(f"{len(rows)} examples of onnx {onnx.__version__}: " + ", ".join(f"{totals[k]} {k}" for k in sorted(totals)))
    problems = unexpected(rows)
    if totals["equal"] < arguments.least:
        problems.append(f"fewer than {arguments.least} are equal")
    print("\n".join(problems) or "nothing unexpected")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
