"""Writes the ONNX standard's own examples of operators as one file, cases.bin, for standard_test.cpp.

Usage: python generate.py            (needs the Python package onnx 1.23.2)
Each example is a ModelProto, preceded by its length as 4 bytes, little-endian. Its inputs are graph inputs that also have
an initializer with the example's value; what the standard expects of output NAME is an initializer "expected:NAME".
"""

import struct
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

MOST_BYTES = 6000  # of one example
ROUNDED = ("test_averagepool_2d_ceil_last_window_starts_on_pad",)  # the standard gives four digits of their values
TYPES = {np.dtype(t) for t in ("float32", "float64", "int64", "int32", "bool")}
OPERATORS = """
    Abs Acosh Add And ArgMax ArgMin Asinh Atanh Attention AveragePool BatchNormalization BitShift BitwiseAnd BitwiseNot
    BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Compress Concat Constant ConstantOfShape Conv ConvTranspose Cos
    Cosh CumProd CumSum DepthToSpace Div Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements
    GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish
    Hardmax Identity InstanceNormalization IsInf LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    Loop LpNormalization LpPool MatMul Max MaxPool MaxUnpool Mean MeanVarianceNormalization Min Mish Mod Mul Neg
    NegativeLogLikelihoodLoss NonZero Not OneHot Or PRelu Pad Pow RMSNormalization RNN Range Reciprocal ReduceL1
    ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu
    Reshape Resize ReverseSequence RotaryEmbedding Round Scan ScatterElements ScatterND Selu Shape Sigmoid Sign Sin Sinh
    Size Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan Tanh
    ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Where Xor
""".split()


def packed(case) -> bytes | None:
    """The example as bytes, or None where our importer's types cannot hold it."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    if len(model.graph.node) != 1 or model.graph.node[0].op_type not in OPERATORS or not case.data_sets:
        return None
    inputs, outputs = case.data_sets[0]
    names = [v.name for v in model.graph.input], [v.name for v in model.graph.output]
    for name, value in zip(names[0] + [f"expected:{n}" for n in names[1]], list(inputs) + list(outputs)):
        if not isinstance(value, (np.ndarray, np.generic)) or np.asarray(value).dtype not in TYPES:
            return None
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    model.graph.name = case.name
    for opset in model.opset_import:  # these operators mean the same in 13
        opset.version = max(opset.version, 13)
    data = model.SerializeToString()
    return data if len(data) <= MOST_BYTES else None


def main() -> None:
    cases = {}
    for case in collect_testcases(None):
        if "_expanded" not in case.name and case.name not in ROUNDED and (data := packed(case)):
            cases[case.name] = data
    with open(Path(__file__).parent / "cases.bin", "wb") as out:
        for name in sorted(cases):
            out.write(struct.pack("<I", len(cases[name])) + cases[name])
    print(len(cases), "examples of", len({c.split("_")[1] for c in cases}), "operators")


if __name__ == "__main__":
    main()
