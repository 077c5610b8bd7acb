"""Gradients by differences of ONNX's reference evaluator, in float64."""

import time
from dataclasses import dataclass

import numpy as np
from onnx import reference

from cases import is_float
from training_graph import bounded

MOST_ELEMENTS = 24  # of a parameter: more are sampled, and fewer where the evaluator is slow
MOST_SECONDS = 2  # of a parameter, where one element takes less
EVALUATIONS = 6  # of an element
NEAR, FAR, WIDE = 1e-5, 1e-4, 1e-2  # steps; the last where the evaluator itself rounds to float32


@dataclass
class Slope:
    """Of one element: differences to both sides, at two distances."""

    index: int
    right: float
    left: float
    far_right: float
    far_left: float
    wide: float

    @property
    def near(self) -> float:
        return (self.right + self.left) / 2

    @property
    def far(self) -> float:
        return (self.far_right + self.far_left) / 2

    def is_noise(self) -> bool:
        """A kink keeps the difference of both sides, curvature lets it grow: what shrinks is rounding."""
        both, far = abs(self.right - self.left), abs(self.far_right - self.far_left)
        steep = max(abs(self.right), abs(self.left))
        jumps = steep > 1e3 or steep > 5 * max(1e-3, abs(self.far_right), abs(self.far_left))
        return not jumps and both > 1e-4 and far < 0.5 * both


class Reference:
    """The loss of a training graph as a function of its inputs."""

    def __init__(self, graph, standard):
        self.graph, self.case = graph, standard
        self.evaluator = reference.ReferenceEvaluator(standard.model)
        self.inputs = {n: v.astype(np.float64) if is_float(v) else v for n, v in standard.inputs.items()}

    def loss(self, inputs) -> float:
        total = 0.0
        for name, value in zip(self.case.outputs, self.evaluator.run(None, inputs)):
            weight = self.graph.weights.get(name)
            if weight is None:
                continue
            if np.shape(value) != weight.shape:
                raise ValueError(f"the reference gives {name} another shape")
            total += float((weight.astype(np.float64) * bounded(value)).sum())
        return total

    def slopes(self, name) -> list:
        value = self.inputs[name]
        begin = time.process_time()
        here = self.loss(self.inputs)
        affordable = int(MOST_SECONDS / EVALUATIONS / max(time.process_time() - begin, 1e-6))
        count = min(value.size, MOST_ELEMENTS, max(affordable, 2))
        indices = np.sort(np.random.default_rng(3).choice(value.size, count, replace=False))

        def moved(index, by):
            changed = value.copy().reshape(-1)
            changed[index] += by
            return self.loss({**self.inputs, name: changed.reshape(value.shape)})

        slopes = []
        for i in indices:
            at = value.reshape(-1)[i]
            near, far, wide = (h * max(1.0, abs(at) if np.isfinite(at) else 1.0) for h in (NEAR, FAR, WIDE))
            slopes.append(
                Slope(
                    int(i),
                    (moved(i, near) - here) / near,
                    (here - moved(i, -near)) / near,
                    (moved(i, far) - here) / far,
                    (here - moved(i, -far)) / far,
                    (moved(i, wide) - moved(i, -wide)) / 2 / wide,
                )
            )
        return slopes


def judge(slope, value, tolerance, largest, is_noisy):
    """Whether `value` is a gradient there; None where the function jumps, or the differences say nothing."""
    if is_noisy:
        if not np.isfinite(slope.wide) or max(abs(slope.right), abs(slope.left)) > 1e3:
            return None
        return abs(value - slope.wide) <= 5e-2 * max(1.0, abs(slope.wide), largest)
    if not np.isfinite(slope.near) or not np.isfinite(slope.far):
        return None
    bound, bend = 1e-2 * max(1.0, abs(slope.near)), abs(slope.near - slope.far)
    room = tolerance * max(1.0, abs(slope.near), largest)
    if abs(slope.right - slope.left) <= bound and bend <= bound:
        return abs(value - slope.near) <= room + 3 * bend
    changes = [(slope.right, slope.far_right), (slope.left, slope.far_left)]
    if any(abs(a) > 1e3 * max(1.0, largest) or abs(a - b) > 0.05 * max(1.0, abs(a)) for a, b in changes):
        return None
    low, high = sorted((slope.left, slope.right))  # a kink: any slope between
    return low - room - 1e-2 <= value <= high + room + 1e-2
