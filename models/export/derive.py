"""Finds which parameter an exporter made an initializer of, by value: every parameter holds distinct random numbers."""
from dataclasses import dataclass
from itertools import permutations

import numpy as np


@dataclass
class Origin:
    """initializer = reshape(transpose(rows of parameter + added))."""

    parameter: str
    first_row: int | None
    rows: int | None
    added: float
    perm: tuple[int, ...]
    shape: tuple[int, ...]

    def apply(self, tensor: np.ndarray, is_gradient: bool) -> np.ndarray:
        """The initializer's value, or its gradient, from the parameter's."""
        if self.first_row is not None:
            tensor = tensor[self.first_row : self.first_row + self.rows]
        if not is_gradient and self.added:
            tensor = tensor + tensor.dtype.type(self.added)
        return tensor.transpose(self.perm).reshape(self.shape)

    def describe(self, shape: tuple[int, ...]) -> dict:
        """The fields of expected.json; `shape` is the parameter's."""
        is_moved = self.perm != tuple(range(len(self.perm)))
        if self.first_row is not None:
            return {"transform": "rows", "first_row": self.first_row, "rows": self.rows}
        if self.added:
            return {"transform": f"plus {self.added:g}"}
        if is_moved:
            return {"transform": "transpose", "perm": list(self.perm)}
        return {"transform": "identity" if shape == self.shape else "reshape"}


def _find_rows(initializer: np.ndarray, parameter: np.ndarray) -> tuple[int, int] | None:
    """Consecutive rows of a table, as positions 0 .. S - 1 of a longer one."""
    width = parameter.shape[-1]
    if parameter.ndim != 2 or initializer.size >= parameter.size or initializer.shape[-1:] != (width,):
        return None
    rows = initializer.reshape(-1, width)
    for first in range(len(parameter) - len(rows) + 1):
        if np.array_equal(parameter[first : first + len(rows)], rows):
            return first, len(rows)
    return None


def derive(initializer: np.ndarray, name: str, parameter: np.ndarray) -> Origin | None:
    """How `initializer` is made of the parameter, or None."""
    order = tuple(range(parameter.ndim))
    if found := _find_rows(initializer, parameter):
        return Origin(name, *found, 0.0, order, initializer.shape)
    if initializer.size != parameter.size:
        return None
    for added in (0.0, 1.0):
        for perm in permutations(order):
            origin = Origin(name, None, None, added, perm, initializer.shape)
            if np.array_equal(origin.apply(parameter, is_gradient=False), initializer):
                return origin
    return None


def derive_all(initializers: dict[str, np.ndarray], parameters: dict[str, np.ndarray]) -> dict[str, Origin]:
    """Origins of all initializers that come of parameters; a parameter without any is an error."""
    origins = {}
    for name, value in initializers.items():
        if value.dtype != np.float32:
            continue
        for parameter, tensor in parameters.items():
            if origin := derive(value, parameter, tensor):
                origins[name] = origin
                break
    lost = set(parameters) - {origin.parameter for origin in origins.values()}
    if lost:
        raise RuntimeError(f"no initializer holds {sorted(lost)}")
    return origins
