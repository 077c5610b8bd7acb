#include "bench/kernel_calls.h"

#include "runtime/base/small_floats.h"

#include <cmath>
#include <random>

namespace autotp::bench {

namespace {

using Dims = llvm::SmallVector<int64_t, 6>;
using Calls = std::vector<KernelCall>;

TensorShape f32(Dims shape) { return {DType::F32, std::move(shape)}; }
TensorShape i64(Dims shape) { return {DType::I64, std::move(shape)}; }
TensorShape boolean(Dims shape) { return {DType::Bool, std::move(shape)}; }
TensorShape scalar() { return f32({}); }

KernelAttributes with(const std::vector<std::pair<std::string, KernelAttributes::Value>> &values) {
  KernelAttributes all;
  for (const auto &[name, value] : values)
    all.set(name, value);
  return all;
}

} // namespace

double Sizes::stepFlops() const {
  const double h = double(hidden), kv = double(kvHeads * head());
  const double products = double(layers) * (2 * h * h + 2 * h * kv + 3 * h * double(ffn)) + h * double(vocab);
  const double attention =
      7 * double(layers * batch) * h * double(seq) * double(seq); // 2 forward, 5 backward; half of each
  return 6 * double(tokens()) * products + attention;
}

namespace {

/// The products of one layer's largest weight and of the head: forward, and both of its gradients.
void addProducts(Calls &calls, const Sizes &z) {
  struct Weight {
    const char *name;
    int64_t rows, columns;
  };
  const int64_t t = z.tokens();
  for (const Weight &w :
       {Weight{"q or out", z.hidden, z.hidden}, Weight{"k or v", z.hidden, z.kvHeads * z.head()},
        Weight{"gate or up", z.hidden, z.ffn}, Weight{"down", z.ffn, z.hidden}, Weight{"head", z.hidden, z.vocab}}) {
    const double flops = 2.0 * double(t) * double(w.rows) * double(w.columns);
    const TensorShape x = f32({t, w.rows}), y = f32({t, w.columns}), weight = f32({w.rows, w.columns});
    const std::string name = std::string("MatMul ") + w.name;
    calls.push_back({name, KernelId::MatMul, {x, weight}, {y}, {}, {}, flops});
    calls.push_back({name + ", dX", KernelId::MatMul, {y, weight}, {x}, with({{"trans_b", int64_t(1)}}), {}, flops});
    calls.push_back({name + ", dW", KernelId::MatMul, {x, y}, {weight}, with({{"trans_a", int64_t(1)}}), {}, flops});
    // To be compared with MatMul, "Add a row", Gelu and GeluGrad.
    if (w.columns != z.ffn) continue;
    const TensorShape bias = f32({w.columns});
    calls.push_back({"MatMulBias up", KernelId::MatMulBias, {x, weight, bias}, {y}, {}, {}, flops});
    calls.push_back({"MatMulBiasGelu up", KernelId::MatMulBiasGelu, {x, weight, bias}, {y, y}, {}, {}, flops});
    calls.push_back({"MatMulGeluGrad up", KernelId::MatMulGeluGrad, {x, weight, y}, {y}, {}, {}, flops});
  }
}

void addElementwise(Calls &calls, const Sizes &z) {
  const TensorShape x = f32({z.tokens(), z.ffn}), row = f32({z.ffn}), flag = boolean({z.tokens(), z.ffn});
  for (KernelId kernel :
       {KernelId::Neg, KernelId::Exp, KernelId::Log, KernelId::Sqrt, KernelId::Rsqrt, KernelId::Reciprocal,
        KernelId::Tanh, KernelId::Sigmoid, KernelId::Erf, KernelId::Relu, KernelId::Abs, KernelId::Sin, KernelId::Cos,
        KernelId::Floor, KernelId::Sign, KernelId::Silu, KernelId::Gelu})
    calls.push_back({nameOf(kernel).str(), kernel, {x}, {x}});
  calls.push_back({"IsNan", KernelId::IsNan, {x}, {flag}});
  calls.push_back({"Not", KernelId::Not, {flag}, {flag}});
  calls.push_back({"Cast f32 to bf16", KernelId::Cast, {x}, {{DType::BF16, x.shape}}});
  for (KernelId kernel :
       {KernelId::Add, KernelId::Sub, KernelId::Mul, KernelId::Div, KernelId::Pow, KernelId::Max, KernelId::Min})
    calls.push_back({nameOf(kernel).str(), kernel, {x, x}, {x}});
  calls.push_back({"Add a row", KernelId::Add, {x, row}, {x}});
  for (KernelId kernel :
       {KernelId::Equal, KernelId::Less, KernelId::LessEqual, KernelId::Greater, KernelId::GreaterEqual})
    calls.push_back({nameOf(kernel).str(), kernel, {x, x}, {flag}});
  for (KernelId kernel : {KernelId::And, KernelId::Or})
    calls.push_back({nameOf(kernel).str(), kernel, {flag, flag}, {flag}});
  calls.push_back({"Where", KernelId::Where, {flag, x, x}, {x}});
  for (KernelId kernel : {KernelId::ReluGrad, KernelId::SiluGrad, KernelId::GeluGrad, KernelId::Swiglu})
    calls.push_back({nameOf(kernel).str(), kernel, {x, x}, {x}});
  calls.push_back({"SwigluGrad", KernelId::SwigluGrad, {x, x, x}, {x, x}});
}

void addReductions(Calls &calls, const Sizes &z) {
  const int64_t t = z.tokens(), f = z.ffn;
  for (KernelId kernel : {KernelId::ReduceSum, KernelId::ReduceMax})
    for (int64_t axis : {1, 0})
      calls.push_back({nameOf(kernel).str() + (axis ? " of rows" : " of columns"),
                       kernel,
                       {f32({t, f})},
                       {f32({axis ? t : f})},
                       with({{"axes", std::vector<int64_t>{axis}}})});
}

void addMoves(Calls &calls, const Sizes &z) {
  const int64_t t = z.tokens(), f = z.ffn;
  const TensorShape x = f32({t, f}), half = f32({t, f / 2}), hidden = f32({t, z.hidden}),
                    table = f32({z.vocab, z.hidden});
  const double rows = double(t * z.hidden * 4), ids = double(t * 8);
  calls.push_back({"Copy", KernelId::Copy, {x}, {x}});
  calls.push_back({"Transpose heads",
                   KernelId::Transpose,
                   {f32({z.batch, z.seq, z.heads, z.head()})},
                   {f32({z.batch, z.heads, z.seq, z.head()})},
                   with({{"perm", std::vector<int64_t>{0, 2, 1, 3}}})});
  calls.push_back(
      {"Transpose matrix", KernelId::Transpose, {x}, {f32({f, t})}, with({{"perm", std::vector<int64_t>{1, 0}}})});
  calls.push_back({"Expand a row", KernelId::Expand, {f32({f})}, {x}});
  calls.push_back({"Slice half of each row",
                   KernelId::Slice,
                   {x},
                   {half},
                   with({{"axis", int64_t(1)}, {"start", f / 2}, {"step", int64_t(1)}}),
                   {},
                   0,
                   double(t * f * 4)});
  calls.push_back({"Concat halves", KernelId::Concat, {half, half}, {x}, with({{"axis", int64_t(1)}})});
  calls.push_back({"Full", KernelId::Full, {}, {x}, with({{"value", 1.0}})});
  const KernelAttributes lookup = with({{"rows", z.vocab}});
  calls.push_back({"Gather", KernelId::Gather, {table, i64({t})}, {hidden}, lookup, {}, 0, 2 * rows + ids, z.vocab});
  calls.push_back({"WrapIndex", KernelId::WrapIndex, {i64({t})}, {i64({t})}, with({{"size", z.vocab}})});
  calls.push_back({"ScatterAdd",
                   KernelId::ScatterAdd,
                   {i64({t}), hidden},
                   {table},
                   lookup,
                   {},
                   0,
                   double(z.vocab * z.hidden * 4) + rows + ids,
                   z.vocab});
}

void addRows(Calls &calls, const Sizes &z) {
  const int64_t t = z.tokens(), h = z.hidden;
  const TensorShape x = f32({t, h}), scale = f32({h}), row = f32({t}), scores = f32({z.batch * z.heads * z.seq, z.seq});
  const KernelAttributes a = with({{"epsilon", 1e-5}});
  calls.push_back({"Softmax", KernelId::Softmax, {scores}, {scores}});
  TensorShape chosen = scores, places = scores; // the elements of each row that a router takes
  chosen.shape.back() = places.shape.back() = std::min<int64_t>(2, scores.shape.back());
  places.dtype = DType::I64;
  calls.push_back({"CumSum", KernelId::CumSum, {scores}, {scores}, with({{"reverse", int64_t(0)}})});
  calls.push_back({"TopK", KernelId::TopK, {scores}, {chosen, places}, with({{"k", chosen.shape.back()}})});
  TensorShape ids = places; // of each row as many as a router takes
  const KernelAttributes elements = with({{"rows", scores.shape.back()}});
  calls.push_back(
      {"GatherElements", KernelId::GatherElements, {scores, ids}, {chosen}, elements, {}, 0, 0, scores.shape.back()});
  const TensorShape counter = i64({3}), rows = i64({z.tokens(), 2}), columns = i64({z.hidden, 2});
  calls.push_back({"Dropout", KernelId::Dropout, {x, counter, rows, columns}, {x}, with({{"ratio", 0.1}})});
  calls.push_back(
      {"ScatterElements", KernelId::ScatterElements, {ids, chosen}, {scores}, elements, {}, 0, 0, scores.shape.back()});
  calls.push_back({"SoftmaxGrad", KernelId::SoftmaxGrad, {scores, scores}, {scores}});
  calls.push_back({"LayerNorm", KernelId::LayerNorm, {x, scale, scale}, {x, row, row}, a});
  calls.push_back({"LayerNormGrad", KernelId::LayerNormGrad, {x, scale, row, row, x}, {x, scale, scale}, a});
  calls.push_back({"RmsNorm", KernelId::RmsNorm, {x, scale}, {x, row}, a});
  calls.push_back({"RmsNormGrad", KernelId::RmsNormGrad, {x, scale, row, x}, {x, scale}, a});
  calls.push_back({"LogSoftmax", KernelId::LogSoftmax, {scores}, {scores}});
  calls.push_back({"LogSumExp", KernelId::LogSumExp, {scores}, {f32({scores.shape[0], 1})}});
}

void addAttention(Calls &calls, const Sizes &z) {
  const TensorShape q = f32({z.batch, z.seq, z.heads, z.head()}), k = f32({z.batch, z.seq, z.kvHeads, z.head()}),
                    statistics = f32({z.batch, z.heads, z.seq, 2}), angles = f32({z.seq, z.head() / 2});
  const KernelAttributes a = with({{"scale", 1 / std::sqrt(double(z.head()))}, {"causal", int64_t(1)}});
  // Two products forward and five backward, of the half of the scores that a causal mask leaves.
  const double product = double(z.batch * z.heads * z.seq) * double(z.seq * z.head());
  calls.push_back({"Attention", KernelId::Attention, {q, k, k}, {q, statistics}, a, {}, 2 * product});
  calls.push_back(
      {"AttentionGrad", KernelId::AttentionGrad, {q, k, k, q, statistics, q}, {q, k, k}, a, {}, 5 * product});
  calls.push_back({"Rotary", KernelId::Rotary, {q, angles, angles}, {q}});
}

void addLoss(Calls &calls, const Sizes &z) {
  const int64_t t = z.tokens();
  const TensorShape logits = f32({t, z.vocab}), labels = i64({t}), row = f32({t}), sums = f32({2, t});
  const KernelAttributes a = with({{"ignore_index", int64_t(-100)}, {"classes", z.vocab}});
  auto add = [&](KernelId kernel, std::vector<TensorShape> in, std::vector<TensorShape> out, std::vector<int> inPlace) {
    calls.push_back(
        {nameOf(kernel).str(), kernel, std::move(in), std::move(out), a, std::move(inPlace), 0, 0, z.vocab});
  };
  add(KernelId::CrossEntropy, {logits, labels}, {scalar(), scalar(), row}, {});
  add(KernelId::CrossEntropyLocal, {logits, labels, row}, {sums}, {});
  add(KernelId::CrossEntropyFinish, {sums, row, labels}, {scalar(), scalar(), row}, {});
  add(KernelId::CrossEntropyGrad, {logits, labels, row, scalar()}, {logits}, {0});
}

void addOptimizer(Calls &calls, const Sizes &z) {
  const TensorShape w = f32({z.weights});
  const std::vector<int64_t> begins = {0}, ends = {z.weights};
  const KernelAttributes segments = with({{"begins", begins}, {"ends", ends}});
  const KernelAttributes adam = with({{"beta1", 0.9},
                                      {"beta2", 0.95},
                                      {"corrects_root", int64_t(1)},
                                      {"decay_before", 0.1},
                                      {"epsilon", 1e-8},
                                      {"begins", begins},
                                      {"ends", ends}});
  calls.push_back({"Accumulate", KernelId::Accumulate, {w, w}, {w}, {}, {0}});
  calls.push_back({"SumSquares", KernelId::SumSquares, {w}, {scalar()}, segments});
  calls.push_back(
      {"GradScale", KernelId::GradScale, {scalar(), scalar()}, {scalar(), scalar()}, with({{"max_norm", 1.0}})});
  calls.push_back({"LossScale",
                   KernelId::LossScale,
                   {f32({4}), scalar(), scalar(), scalar()},
                   {f32({4}), scalar(), scalar()},
                   with({{"window", int64_t(2000)}}),
                   {0}});
  calls.push_back({"AdamW", KernelId::Adam, {w, w, w, w, scalar(), scalar(), scalar()}, {w, w, w}, adam, {0, 1, 2}});
  calls.push_back({"Adagrad", KernelId::Adagrad, {w, w, w, scalar(), scalar(), scalar()}, {w, w}, segments, {0, 1}});
  calls.push_back({"Momentum", KernelId::Momentum, {w, w, w, scalar(), scalar(), scalar()}, {w, w}, segments, {0, 1}});
  calls.push_back({"Sgd", KernelId::Sgd, {w, w, scalar(), scalar(), scalar()}, {w}, segments, {0}});
}

double bytesOf(const std::vector<TensorShape> &tensors) {
  double bytes = 0;
  for (const TensorShape &tensor : tensors) {
    double n = double(sizeOf(tensor.dtype));
    for (int64_t d : tensor.shape)
      n *= double(d);
    bytes += n;
  }
  return bytes;
}

} // namespace

std::vector<std::byte> contentsOf(const TensorArg &operand, int64_t idsBelow) {
  std::vector<std::byte> bytes;
  auto append = [&](auto value) {
    const auto *begin = reinterpret_cast<const std::byte *>(&value);
    bytes.insert(bytes.end(), begin, begin + sizeof(value));
  };
  std::mt19937 random(7);
  for (int64_t i = 0, count = std::min<int64_t>(operand.elements(), 1 << 18); i < count; ++i) {
    const uint32_t bits = uint32_t(random());
    const float real = 0.1f + 0.9f * float(bits >> 8) / float(1 << 24);
    switch (operand.dtype) {
    case DType::F32:
      append(real);
      break;
    case DType::BF16:
      append(floatToBf16(real));
      break;
    case DType::I64:
      append(int64_t(bits) % std::max<int64_t>(idsBelow, 1));
      break;
    case DType::Bool:
      append(uint8_t(bits >> 31));
      break;
    default:
      bytes.resize(bytes.size() + sizeOf(operand.dtype)); // no call has others
    }
  }
  return bytes;
}

llvm::Expected<KernelArgs> layOut(Device &device, DeviceKind kind, const KernelCall &call, int threads, FillFn fill) {
  KernelArgs args;
  args.attributes = call.attributes;
  auto place = [&](const TensorShape &tensor, std::vector<TensorArg> &to) -> llvm::Error {
    TensorArg arg{nullptr, tensor.dtype, {tensor.shape.begin(), tensor.shape.end()}};
    auto memory = device.allocate(size_t(arg.elements()) * sizeOf(arg.dtype));
    if (!memory) return memory.takeError();
    arg.data = memory->data();
    to.push_back(std::move(arg));
    return llvm::Error::success();
  };
  for (const TensorShape &tensor : call.operands) {
    if (llvm::Error error = place(tensor, args.operands)) return error;
    const TensorArg &operand = args.operands.back();
    if (llvm::Error error = fill(operand, contentsOf(operand, call.idsBelow))) return error;
  }
  for (size_t r = 0; r < call.results.size(); ++r) {
    if (r < call.inPlace.size())
      args.results.push_back(args.operands[size_t(call.inPlace[r])]);
    else if (llvm::Error error = place(call.results[r], args.results))
      return error;
  }
  auto workspace = device.allocate(workspaceBytes(kind, call.kernel, {call.operands, call.results, threads}));
  if (!workspace) return workspace.takeError();
  args.workspace = *workspace;
  return args;
}

double KernelCall::bytesMoved() const { return bytes > 0 ? bytes : bytesOf(operands) + bytesOf(results); }

std::vector<KernelCall> kernelCalls(const Sizes &sizes) {
  Calls calls;
  for (auto add : {addProducts, addElementwise, addReductions, addMoves, addRows, addAttention, addLoss, addOptimizer})
    add(calls, sizes);
  return calls;
}

} // namespace autotp::bench
