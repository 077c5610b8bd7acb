/// \file Products of the graph: what a library or its pieces multiply, with epilogues of our own behind them.
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/product.h"
#include "runtime/device/cpu/storage.h"

#include <cstring>

namespace autotp::cpu {

namespace {

/// Leading dimensions of the left side are more rows where the right side has none.
TensorArg asMatrix(const TensorArg &tensor) {
  TensorArg matrix = tensor;
  int64_t columns = tensor.shape.back();
  matrix.shape = {columns ? tensor.elements() / columns : 0, columns};
  return matrix;
}

template <typename To, typename From> void convert(To *to, const From *from, int64_t n, int threads) {
  parallelFor(threads, n, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i)
      to[i] = Narrowed<To>::from(widened(from[i]));
  });
}

/// A product in f32, whose operands and result, unless it is f32, are stored in S: they pass through the end of the
/// workspace.
template <typename S> Prepared buildWidened(const Call &call, ProductTensors t, bool transA, bool transB) {
  const ProductTensors stored = t;
  const bool narrows = t.c.dtype != DType::F32;
  llvm::SmallVector<TensorArg *, 4> wide{&t.a, &t.b};
  if (narrows) wide.push_back(&t.c);
  if (t.bias.data) wide.push_back(&t.bias);
  size_t bytes = 0;
  for (const TensorArg *tensor : wide)
    bytes += size_t(tensor->elements()) * sizeof(float);
  if (llvm::Error error = expectWorkspace(call, bytes)) return error;
  std::byte *at = nullptr;
  const Call inF32 = withoutLast(call, bytes, at);
  for (TensorArg *tensor : wide) {
    tensor->data = at;
    tensor->dtype = DType::F32;
    at += size_t(tensor->elements()) * sizeof(float);
  }
  Prepared made = product(inF32, t, transA, transB);
  if (!made) return made.takeError();
  return ready([=, made = std::move(*made), threads = call.threads] {
    convert(t.a.as<float>(), stored.a.as<S>(), t.a.elements(), threads);
    convert(t.b.as<float>(), stored.b.as<S>(), t.b.elements(), threads);
    if (t.bias.data) convert(t.bias.as<float>(), stored.bias.as<S>(), t.bias.elements(), threads);
    const Status status = made->run();
    if (narrows) convert(stored.c.as<S>(), t.c.as<float>(), t.c.elements(), threads);
    return status;
  });
}

/// The calls of two kernels, one after the other.
Prepared inOrder(Prepared first, Prepared second) {
  if (!first || !second) return llvm::joinErrors(first.takeError(), second.takeError());
  return ready([first = std::move(*first), second = std::move(*second)] {
    const Status status = first->run();
    return status == Status::Ok ? second->run() : status;
  });
}

/// Another kernel on tensors of `call`.
Prepared prepareOther(const Call &call, KernelId kernel, std::vector<TensorArg> operands, TensorArg result) {
  Call other{{kernel, {}, call.device}, call.threads};
  other.args.operands = std::move(operands);
  other.args.results = {std::move(result)};
  other.args.attributes.set("tanh", int64_t(1)); // gelu's form in all fused kernels
  return findRow(kernel)->prepare(other);
}

Prepared prepareMatMul(const Call &call) {
  ProductTensors t{call.args.operands[0], call.args.operands[1], {}, call.args.results[0]};
  t.c.shape = productShape(call);
  const DType dtype = t.a.dtype;
  if (dtype != DType::F32 && dtype != DType::BF16 && dtype != DType::F16) return unsupported(call, dtype);
  const bool transA = call.args.attributes.integer("trans_a"), transB = call.args.attributes.integer("trans_b");
  const bool hasBias = call.kernel != KernelId::MatMul && call.kernel != KernelId::MatMulGeluGrad;
  if (t.c.elements() == 0) return ready([] { return Status::Ok; });
  if (productSizes(call).k == 0) { // a sum over nothing
    Prepared zeros = ready([to = t.c.data, bytes = size_t(t.c.elements()) * sizeOf(t.c.dtype)] {
      std::memset(to, 0, bytes);
      return Status::Ok;
    });
    if (!hasBias) return zeros;
    return inOrder(std::move(zeros), prepareOther(call, KernelId::Add, {t.c, call.args.operands[2]}, t.c));
  }
  if (t.b.shape.size() == 2 && !transA) {
    t.a = asMatrix(t.a);
    t.c = asMatrix(t.c);
  }
  if (hasBias) {
    t.bias = call.args.operands[2];
    t.bias.shape = {t.bias.elements()};
  }
  if (dtype == DType::F16) return buildWidened<Half>(call, t, transA, transB);
  if (dtype == DType::BF16 && !multipliesBf16()) return buildWidened<Bf16>(call, t, transA, transB);
  return product(call, t, transA, transB);
}

/// oneDNN would keep gelu alone; its backward reads what it was taken of.
Prepared prepareMatMulGelu(const Call &call) {
  const TensorArg x = call.args.results[0], y = call.args.results[1];
  return inOrder(prepareMatMul(call), prepareOther(call, KernelId::Gelu, {x}, y));
}

/// In the product's place.
Prepared prepareMatMulGeluGrad(const Call &call) {
  const TensorArg x = call.args.operands[2], dx = call.args.results[0];
  return inOrder(prepareMatMul(call), prepareOther(call, KernelId::GeluGrad, {x, dx}, dx));
}

constexpr KernelRow kRows[] = {{KernelId::MatMul, prepareMatMul},
                               {KernelId::MatMulBias, prepareMatMul},
                               {KernelId::MatMulBiasGelu, prepareMatMulGelu},
                               {KernelId::MatMulGeluGrad, prepareMatMulGeluGrad}};

} // namespace

std::span<const KernelRow> matMulKernels() { return kRows; }

} // namespace autotp::cpu
