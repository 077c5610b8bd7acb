"""An example as a small model that trains: its node, and as the loss the sum of all outputs times fixed numbers.

Mode "trained": float inputs are parameters, the others constants. Mode "fed": everything comes in through the feed; to
each float a parameter of zeros is added, whose gradient is that of the input.
"""

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cases import is_float

MOST = 1e4  # values beyond it, and infinite ones, are clipped before they are summed
NAN_IS = 7.0
OWN = "suite_"  # what the names of added values begin with
PARAMETER = "P_"


def bounded(array):
    array = np.asarray(array).astype(np.float64)
    return np.clip(np.where(np.isnan(array), NAN_IS, array), -MOST, MOST)


@dataclass
class TrainingGraph:
    case: object
    fed: bool
    constants: frozenset  # inputs that are constants, whatever the mode says
    feed: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)  # by the input's name: the input's value
    weights: dict = field(default_factory=dict)  # by output: the fixed numbers
    loss: float = 0.0
    scale: float = 0.0  # the sum of the sizes of what is summed

    def __post_init__(self):
        self.before, self.after, self.inputs, self.terms = [], [], [], []
        self.initializers = {}
        for name, value in self.case.inputs.items():
            self.add_input(name, value)
        random = np.random.default_rng(7)
        for name, value in self.case.outputs.items():
            self.add_output(name, value, random)
        if not self.parameters or not self.terms or not any(is_float(v) for v in self.case.outputs.values()):
            self.add_term_of_its_own()
        self.finish()

    def constant(self, name, value) -> str:
        self.initializers[name] = numpy_helper.from_array(np.array(value), name)
        return name

    def input(self, name, value, dtype) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, [1, *value.shape]))
        self.feed[name] = value[None]
        return name

    def add_input(self, name, value) -> None:
        trains = is_float(value) and name not in self.constants
        if name in self.constants or (not self.fed and not trains):
            self.constant(name, value)
            return
        first = self.constant(OWN + "first", np.array([0], np.int64))
        if trains:
            self.parameters[name] = value
        if self.fed:
            outside = self.input("F_" + name, value, helper.np_dtype_to_tensor_dtype(value.dtype))
            inside = OWN + "in_" + name if trains else name
            self.before.append(helper.make_node("Squeeze", [outside, first], [inside]))
        if not trains:
            return
        start = np.zeros_like(value) if self.fed else value
        parameter = self.constant(PARAMETER + name, start.reshape(start.shape or (1,)))
        if not value.shape:
            self.before.append(helper.make_node("Squeeze", [parameter, first], [OWN + "scalar_" + name]))
            parameter = OWN + "scalar_" + name
        if self.fed:
            self.before.append(helper.make_node("Add", [OWN + "in_" + name, parameter], [name]))
        else:
            self.before.append(helper.make_node("Identity", [parameter], [name]))

    def add_output(self, name, value, random) -> None:
        weight = (random.choice([-1, 1], value.shape) * random.uniform(0.5, 1.5, value.shape)).astype(np.float32)
        self.weights[name] = weight
        if weight.size == 0:
            return
        step = lambda op, operands, suffix, **attributes: self.after.append(
            helper.make_node(op, operands, [OWN + suffix + name], **attributes)
        ) or OWN + suffix + name
        x = name if value.dtype == np.float32 else step("Cast", [name], "f32_", to=TensorProto.FLOAT)
        if not np.all(np.isfinite(value.astype(np.float64))) or np.any(np.abs(value.astype(np.float64)) > MOST):
            low, high = (self.constant(OWN + n, np.float32(v)) for n, v in (("low", -MOST), ("high", MOST)))
            is_nan = step("IsNaN", [x], "is_nan_")
            x = step("Where", [is_nan, self.constant(OWN + "nan", np.float32(NAN_IS)), x], "number_")
            x = step("Clip", [x, low, high], "clipped_")
        first = self.constant(OWN + "first", np.array([0], np.int64))
        fixed = step("Squeeze", [self.input(OWN + "w_" + name, weight, TensorProto.FLOAT), first], "weight_")
        flat = self.constant(OWN + "flat", np.array([-1], np.int64))
        self.terms.append(step("Reshape", [step("Mul", [x, fixed], "weighed_"), flat], "term_"))
        self.loss += float((weight.astype(np.float64) * bounded(value)).sum())
        self.scale += float(np.abs(weight * bounded(value)).sum())

    def add_term_of_its_own(self) -> None:
        """Some examples have no float: the loss needs a parameter all the same."""
        outside = self.input(OWN + "own", np.full(4, 0.25, np.float32), TensorProto.FLOAT)
        own = self.constant(PARAMETER + OWN + "own", np.array([0.5, 1, 1.5, 2], np.float32))
        flat = self.constant(OWN + "flat", np.array([-1], np.int64))
        self.after.append(helper.make_node("Mul", [outside, own], [OWN + "own_weighed"]))
        self.after.append(helper.make_node("Reshape", [OWN + "own_weighed", flat], [OWN + "own_term"]))
        self.terms.append(OWN + "own_term")
        self.loss += 1.25

    def finish(self) -> None:
        whole = self.terms[0]
        if len(self.terms) > 1:
            whole = OWN + "all"
            self.after.append(helper.make_node("Concat", self.terms, [whole], axis=0))
        self.after.append(helper.make_node("ReduceSum", [whole], [OWN + "loss"], keepdims=0))
        model = self.case.model
        graph = helper.make_graph(
            self.before + list(model.graph.node) + self.after,
            self.case.name,
            self.inputs,
            [helper.make_tensor_value_info(OWN + "loss", TensorProto.FLOAT, [])],
            list(model.graph.initializer) + list(self.initializers.values()),
        )
        graph.sparse_initializer.extend(model.graph.sparse_initializer)
        self.model = helper.make_model(
            graph,
            opset_imports=list(model.opset_import),
            functions=list(model.functions),
            ir_version=model.ir_version or onnx.IR_VERSION,
        )
