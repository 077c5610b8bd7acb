"""Writes kinks.txt: gradients of PyTorch where operators have kinks, ties, steps, zeros and masked rows.

  python3 record_kinks.py > kinks.txt        (needs torch; recorded with 2.15.0, in float64)

Each case is one ONNX node: operands that are trained ("param"), constant ("const") or indices ("ints"), the gradient that
arrives at its first result ("dy"), that result, and the gradient of each trained operand.
"""
import torch

torch.set_default_dtype(torch.float64)
F = torch.nn.functional
INF, NAN, LOWEST = float("inf"), float("nan"), -3.4028234663852886e38


class Const(list):
    """A float operand that is not trained."""


class Ints(list):
    """An operand of integers."""


def text(tensor):
    shape = ",".join(str(d) for d in tensor.shape)
    values = " ".join("%.9g" % v for v in tensor.detach().double().reshape(-1).tolist())
    return "[%s] %s" % (shape, values)


def case(op, function, *operands, exporter="", opset=20, **attributes):
    print("case %s %d%s" % (op, opset, " " + exporter if exporter else ""))
    for name, value in attributes.items():
        print("attribute", name, value)
    tensors = []
    for operand in operands:
        kind = "const" if isinstance(operand, Const) else "ints" if isinstance(operand, Ints) else "param"
        value = operand[0] if isinstance(operand, Const) else list(operand) if isinstance(operand, Ints) else operand
        tensor = torch.tensor(value, requires_grad=kind == "param")
        print(kind, text(tensor))
        tensors.append(tensor)
    y = function(*tensors)
    dy = (torch.arange(y.numel()) % 7 + 1.0).reshape(y.shape)
    print("dy", text(dy))
    print("y", text(y))
    trained = [t for t in tensors if t.requires_grad]
    for gradient in torch.autograd.grad(y, trained, dy):
        print("gradient", text(gradient))
    print()


STEPS = [-1.5, -1.0, 0.0, 0.5, 2.0]
case("Abs", torch.abs, [-1.0, 0.0, 2.0])
case("Sign", torch.sign, STEPS)
case("Floor", torch.floor, STEPS)
case("Ceil", torch.ceil, STEPS)
case("Relu", F.relu, [-1.0, 0.0, 2.0])
case("LeakyRelu", lambda x: F.leaky_relu(x, 0.25), [-1.0, 0.0, 2.0], alpha=0.25)
case("PRelu", lambda x, w: torch.where(x > 0, x, w * x), [[-1.0, 0.0], [2.0, -3.0]], [0.25, 0.5])
case("PRelu", F.prelu, [-1.0, 0.0, 2.0], [0.25])
case("Elu", lambda x: F.elu(x, 2.0), [-1.0, 0.0, 2.0, 200.0], alpha=2.0)
for opset in (13, 17, 20):
    case("Selu", F.selu, [-1.0, 0.0, 2.0], opset=opset)
    case("Softsign", F.softsign, [-1.0, 0.0, 2.0], opset=opset)
    case("ThresholdedRelu", lambda x: F.threshold(x, 1.0, 0.0), [0.0, 1.0, 2.0], opset=opset)
    case("Shrink", F.hardshrink, [-1.0, -0.5, 0.0, 0.5, 2.0], opset=opset, lambd=0.5)
    case("Shrink", F.softshrink, [-1.0, -0.5, 0.0, 0.5, 2.0], opset=opset, lambd=0.5, bias=0.5)
    case("Celu", lambda x: F.celu(x, 2.0), [-1.0, 0.0, 2.0], opset=opset, alpha=2.0)
    case("HardSwish", F.hardswish, [-4.0, -3.0, 0.0, 3.0, 4.0], opset=max(opset, 14))
case("HardSigmoid", F.hardsigmoid, [-4.0, -3.0, 0.0, 3.0, 4.0], alpha=0.16666667)
case("Softplus", F.softplus, [-40.0, -1.0, 0.0, 2.0, 100.0])
case("Mish", F.mish, [-1.0, 0.0, 2.0])
for low, high in ((-1.0, 2.0), (0.0, 6.0)):
    x = [-2.0, low, 0.5, high, 7.0]
    case("Clip", lambda x, a, b: torch.clamp(x, low, high), x, Const([low]), Const([high]))
    case("Clip", lambda x, a, b: F.hardtanh(x, low, high), x, Const([low]), Const([high]))
case("Clip", lambda x, a: torch.clamp(x, min=0.0), [-1.0, 0.0, 2.0], Const([0.0]))
case("Clip", torch.clamp, [-2.0, -1.0, 0.0, 2.0, 3.0], [-1.0] * 5, [2.0] * 5)
case("Max", torch.maximum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
case("Min", torch.minimum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
case("Max", torch.maximum, [[1.0, 2.0], [3.0, 1.0]], [3.0, 1.0])
case("Max", torch.maximum, [-1.0, 0.0, 2.0], Const([0.0]))
case("Max", lambda x, a: torch.clamp(x, min=0.0), [-1.0, 0.0, 2.0], Const([0.0]), exporter="aten.clamp.Tensor")
case("Min", lambda x, a: torch.clamp(x, max=2.0), [-1.0, 0.0, 2.0], Const([2.0]), exporter="aten.clamp.Tensor")
TIES = [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [1.0, 0.0, 0.0]]
for keepdims in (0, 1):
    case("ReduceMax", lambda x, a: torch.amax(x, 1, keepdim=bool(keepdims)), TIES, Ints([1]), keepdims=keepdims)
    case("ReduceMin", lambda x, a: torch.amin(x, 1, keepdim=bool(keepdims)), TIES, Ints([1]), keepdims=keepdims)
    case("ReduceL2", lambda x, a: torch.linalg.vector_norm(x, 2, 1, bool(keepdims)), [[0.0, 0.0], [3.0, 4.0]], Ints([1]),
         keepdims=keepdims)
case("ReduceL1", lambda x, a: torch.linalg.vector_norm(x, 1, 1, True), [[0.0, 0.0], [3.0, -4.0]], Ints([1]))
case("ReduceLogSumExp", lambda x, a: torch.logsumexp(x, 1, True), [[-INF, -INF], [1.0, -INF], [1.0, 1.0]], Ints([1]))
case("Sqrt", torch.sqrt, [0.0, 4.0])
case("Reciprocal", torch.reciprocal, [0.0, 4.0])
case("Log", torch.log, [0.0, 4.0])
case("Pow", torch.pow, [0.0, 0.0, 0.0, 0.0, 2.0, -2.0, 0.0], [0.0, 1.0, 2.0, 0.5, 3.0, 3.0, -1.0])
for exponent in (0.0, 0.5, 1.0, 2.0, 3.0):
    case("Pow", lambda x, e: x**exponent, [0.0, 2.0], Const([exponent]))
for base in (0.0, 2.0):
    case("Pow", lambda b, x: torch.pow(base, x), Const([base]), [0.0, 2.0])
case("Softmax", lambda x: F.softmax(x, 1), [[-INF, -INF], [1.0, -INF], [LOWEST, LOWEST]], axis=1)
case("LogSoftmax", lambda x: F.log_softmax(x, 1), [[-INF, -INF], [1.0, -INF], [2.0, 2.0]], axis=1)
X = [[1.0, 2.0, 4.0], [3.0, 3.0, 0.0]]
case("Gather", lambda x, i: x[i], X, Ints([1, -1, 0, -2]))
case("GatherElements", lambda x, i: torch.gather(x, 1, i % 3), X, Ints([[0, -1], [-3, -1]]), axis=1)
case("GatherND", lambda x, i: x[i[:, 0], i[:, 1]], X, Ints([[0, -1], [-1, 0], [1, 2]]))


def attention(q, k, v, mask):
    # Its fused kernel for the CPU loses log(n) beside a large mask in rows that it hides whole: their gradients are wrong.
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


Q, K, V = [[[[1.0, 2.0], [3.0, -1.0]]]], [[[[0.5, 1.0], [-1.0, 2.0]]]], [[[[1.0, 0.0], [2.0, 5.0]]]]
for mask in ([[0.25, -0.5], [1.0, 2.0]], [[0.0, -INF], [-INF, -INF]], [[0.0, LOWEST], [LOWEST, LOWEST]]):
    case("Attention", attention, Q, K, V, [[mask]], opset=23, softcap=0.0, qk_matmul_output_mode=0)
    case("Attention", attention, Q, K, V, Const([mask]), opset=23)
case("Attention", attention, Q + Q, K + K, V + V, [[[[0.25, -0.5], [1.0, 2.0]]]], opset=23)  # summed over the batch
