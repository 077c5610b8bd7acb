"""ONNX's own examples of nodes, from the Python package `onnx`."""

import warnings
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np
import onnx
from onnx import numpy_helper

SMALL_FLOATS = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
FLOATS = (np.dtype(np.float32), np.dtype(np.float64)) + SMALL_FLOATS
OLDEST_OPSET = 13


class Skipped(Exception):
    """An example that says nothing about training: its values are no tensors, or are drawn at random."""


@dataclass
class Case:
    name: str
    model: onnx.ModelProto
    inputs: dict = field(default_factory=dict)  # by name, in order
    outputs: dict = field(default_factory=dict)
    skipped: str = ""


def is_float(array) -> bool:
    return array.dtype in FLOATS


def is_small(array) -> bool:
    return array.dtype in SMALL_FLOATS


def tensor(value):
    value = numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
    if not isinstance(value, (np.ndarray, np.generic)) or np.asarray(value).dtype.kind in "OSU":
        raise Skipped("its values are no tensors of numbers")
    return np.asarray(value)


def lift_opset(model) -> None:
    """Opset 13 at least, where the node means the same there."""
    own = [o for o in model.opset_import if o.domain == ""]
    if not own:
        model.opset_import.append(onnx.helper.make_opsetid("", 18))
        return
    if own[0].version >= OLDEST_OPSET:
        return
    for node in model.graph.node:
        if node.domain == "":
            now, then = (onnx.defs.get_schema(node.op_type, v, "").since_version for v in (own[0].version, OLDEST_OPSET))
            if now != then:
                raise Skipped("it is of an operator set before 13")
    own[0].version = OLDEST_OPSET


def case_of(test) -> Case:
    model = onnx.ModelProto()
    model.CopyFrom(test.model)
    case = Case(test.name, model)
    try:
        if test.name.startswith(("test_bernoulli", "test_random", "test_training_dropout")):
            raise Skipped("it is drawn at random")
        lift_opset(model)
        inputs, outputs = test.data_sets[0]
        names = [i.name for i in model.graph.input], [o.name for o in model.graph.output if o.name]
        if len(names[0]) != len(inputs):
            raise Skipped("its values do not fit its inputs")
        case.inputs = {n: tensor(v) for n, v in zip(names[0], inputs)}
        case.outputs = {n: tensor(v) for n, v in zip(names[1], outputs)}
    except Skipped as reason:
        case.skipped = str(reason)
    return case


def load() -> list:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return [case_of(test) for test in collect_testcases(None) if test.model is not None]
