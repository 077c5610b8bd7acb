/// \file Products, by oneDNN: the only file that includes it. Transposes and broadcasting are strides; nothing is
/// copied.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/storage.h"
#include "runtime/plan/kernels/product_workspace.h"

#include <dnnl.hpp>

#include <cstring>

namespace autotp::cpu {

namespace {

/// [batch.., rows, columns] of a product's operand, as oneDNN wants to see it.
struct View {
  ArgShape dims, strides;
};

/// `rowStride`: elements from one row of a matrix to the next; 0: as many as it has columns.
View viewOf(const TensorArg &tensor, size_t rank, bool isTransposed, int64_t rowStride = 0) {
  ArgShape dims(rank - tensor.shape.size(), 1);
  dims.insert(dims.end(), tensor.shape.begin(), tensor.shape.end());
  ArgShape strides(rank, 1);
  for (size_t d = rank - 1; d-- > 0;)
    strides[d] = strides[d + 1] * std::max<int64_t>(dims[d + 1], 1);
  if (rowStride) strides[rank - 2] = rowStride;
  if (isTransposed) {
    std::swap(dims[rank - 1], dims[rank - 2]);
    std::swap(strides[rank - 1], strides[rank - 2]);
  }
  return {dims, strides};
}

/// Leading dimensions of the left side are more rows where the right side has none.
TensorArg asMatrix(const TensorArg &tensor) {
  TensorArg matrix = tensor;
  int64_t columns = tensor.shape.back();
  matrix.shape = {columns ? tensor.elements() / columns : 0, columns};
  return matrix;
}

/// Calls oneDNN by its C interface, whose arguments are made once: the C++ one makes them anew at each call.
class Product final : public PreparedKernel {
public:
  Product(const dnnl::engine &engine, dnnl::matmul primitive, std::vector<std::pair<int, dnnl::memory>> memories)
      : stream_(engine), primitive_(std::move(primitive)), memories_(std::move(memories)) {
    for (const auto &[name, memory] : memories_)
      arguments_.push_back({name, memory.get()});
  }

  Status run() override {
    bool isDone = dnnl_primitive_execute(primitive_.get(), stream_.get(), int(arguments_.size()), arguments_.data()) ==
                      dnnl_success &&
                  dnnl_stream_wait(stream_.get()) == dnnl_success;
    return isDone ? Status::Ok : Status::LibraryFailed;
  }

private:
  dnnl::stream stream_;
  dnnl::matmul primitive_;
  std::vector<std::pair<int, dnnl::memory>> memories_; ///< owns what `arguments_` names
  std::vector<dnnl_exec_arg_t> arguments_;
};

dnnl::memory::data_type libraryType(DType dtype) {
  return dtype == DType::BF16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

/// oneDNN takes no newer instructions than the kernels beside it, so that equal instruction sets give equal bits. The limit
/// is the process's, from its first product on.
void limitLibrary() {
#if defined(__x86_64__) && !defined(__AVX512F__)
#ifdef __AVX2__
  constexpr dnnl::cpu_isa kNewest = dnnl::cpu_isa::avx2;
#else
  constexpr dnnl::cpu_isa kNewest = dnnl::cpu_isa::sse41;
#endif
  [[maybe_unused]] static const dnnl::status limited = dnnl::set_max_cpu_isa(kNewest);
#endif
}

/// Operands and result of one library call. Without a bias: its data is null.
struct Tensors {
  TensorArg a, b, bias, c;
  int64_t bStride = 0, cStride = 0; ///< from one row to the next; 0: as many elements as a row has
};

Prepared build(const Call &call, const Tensors &t, bool transA, bool transB) {
  using dnnl::memory;
  const size_t rank = std::max(t.a.shape.size(), t.b.shape.size());
  const View views[] = {viewOf(t.a, rank, transA), viewOf(t.b, rank, transB, t.bStride),
                        viewOf(t.c, rank, false, t.cStride), viewOf(t.bias, rank, false)};
  const TensorArg *tensors[] = {&t.a, &t.b, &t.c, &t.bias};
  const int names[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS};
  const size_t count = t.bias.data ? 4 : 3;
  limitLibrary();
  try {
    dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    memory::desc d[4];
    for (size_t i = 0; i < count; ++i)
      d[i] = memory::desc(views[i].dims, libraryType(tensors[i]->dtype), views[i].strides);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::matmul::desc product =
        t.bias.data ? dnnl::matmul::desc(d[0], d[1], d[3], d[2]) : dnnl::matmul::desc(d[0], d[1], d[2]);
    dnnl::matmul::primitive_desc chosen(product, attributes, engine);
    if (llvm::Error error = expectWorkspace(call, chosen.scratchpad_desc().get_size())) return error;
    std::vector<std::pair<int, memory>> arguments;
    for (size_t i = 0; i < count; ++i)
      arguments.emplace_back(names[i], memory(d[i], engine, tensors[i]->data));
    arguments.emplace_back(DNNL_ARG_SCRATCHPAD, memory(chosen.scratchpad_desc(), engine, call.args.workspace.data()));
    return std::make_unique<Product>(engine, dnnl::matmul(chosen), std::move(arguments));
  } catch (const dnnl::error &error) {
    return mistake(call, std::string("oneDNN refuses it: ") + error.what());
  }
}

template <typename To, typename From> void convert(To *to, const From *from, int64_t n, int threads) {
  parallelFor(threads, n, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i)
      to[i] = Narrowed<To>::from(widened(from[i]));
  });
}

/// The call with all of its workspace but the last `bytes`, where `last` then points.
Call withoutLast(const Call &call, size_t bytes, std::byte *&last) {
  Call rest = call;
  last = call.args.workspace.data() + call.args.workspace.size() - bytes;
  rest.args.workspace = call.args.workspace.first((call.args.workspace.size() - bytes) / 64 * 64);
  return rest;
}

/// a^T b, each block of columns of b through a copy whose rows spread over the sets of a cache.
Prepared buildByColumns(const Call &call, const Tensors &t) {
  const int64_t k = t.b.shape[0], n = t.b.shape[1];
  if (llvm::Error error = expectWorkspace(call, blockBytes(k))) return error;
  std::byte *copied = nullptr;
  const Call inner = withoutLast(call, blockBytes(k), copied);
  std::vector<std::unique_ptr<PreparedKernel>> blocks;
  for (int64_t j = 0; j < n; j += kBlockColumns) {
    Tensors block = t;
    block.b = {copied, DType::F32, {k, kBlockColumns}};
    block.c.data = t.c.as<float>() + j;
    block.c.shape.back() = kBlockColumns;
    block.bStride = kBlockStride;
    block.cStride = n;
    Prepared product = build(inner, block, true, false);
    if (!product) return product.takeError();
    blocks.push_back(std::move(*product));
  }
  return ready([k, n, from = t.b.as<float>(), to = reinterpret_cast<float *>(copied), blocks = std::move(blocks),
                threads = call.threads] {
    for (size_t i = 0; i < blocks.size(); ++i) {
      parallelFor(threads, k, kBlockColumns, [&](int64_t begin, int64_t end, int) {
        for (int64_t row = begin; row < end; ++row)
          std::memcpy(to + row * kBlockStride, from + row * n + int64_t(i) * kBlockColumns,
                      kBlockColumns * sizeof(float));
      });
      if (const Status status = blocks[i]->run(); status != Status::Ok) return status;
    }
    return Status::Ok;
  });
}

/// A product in f32, whose operands and result are stored in S: they pass through the end of the workspace.
template <typename S> Prepared buildWidened(const Call &call, Tensors t, bool transA, bool transB) {
  const Tensors stored = t;
  TensorArg *wide[] = {&t.a, &t.b, &t.c, &t.bias};
  const size_t count = t.bias.data ? 4 : 3;
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i)
    bytes += size_t(wide[i]->elements()) * sizeof(float);
  if (llvm::Error error = expectWorkspace(call, bytes)) return error;
  std::byte *at = nullptr;
  const Call inF32 = withoutLast(call, bytes, at);
  for (size_t i = 0; i < count; ++i) {
    wide[i]->data = at;
    wide[i]->dtype = DType::F32;
    at += size_t(wide[i]->elements()) * sizeof(float);
  }
  Prepared product = build(inF32, t, transA, transB);
  if (!product) return product.takeError();
  return ready([=, product = std::move(*product), threads = call.threads] {
    convert(t.a.as<float>(), stored.a.as<S>(), t.a.elements(), threads);
    convert(t.b.as<float>(), stored.b.as<S>(), t.b.elements(), threads);
    if (t.bias.data) convert(t.bias.as<float>(), stored.bias.as<S>(), t.bias.elements(), threads);
    Status status = product->run();
    convert(stored.c.as<S>(), t.c.as<float>(), t.c.elements(), threads);
    return status;
  });
}

/// oneDNN 2 multiplies bf16 on processors with AVX-512, and f16 on none. Elsewhere its tensors are widened.
constexpr bool multipliesBf16() {
#if defined(__AVX512BW__) && defined(__AVX512DQ__)
  return true;
#else
  return false;
#endif
}

/// Before AVX-512, whose kernels were not seen to need it.
bool isBuiltByColumns([[maybe_unused]] const Tensors &t, [[maybe_unused]] bool transA, [[maybe_unused]] bool transB) {
#if defined(__AVX512F__)
  return false;
#else
  const bool isF32 = t.a.dtype == DType::F32 && !t.bias.data;
  return isF32 && transA && !transB && t.a.shape.size() == 2 && t.b.shape.size() == 2 &&
         goesByColumns(t.a.shape[1], t.b.shape[1]);
#endif
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
  Tensors t{call.args.operands[0], call.args.operands[1], {}, call.args.results[0]};
  t.c.shape = productShape(call);
  const DType dtype = t.a.dtype;
  if (dtype != DType::F32 && dtype != DType::BF16 && dtype != DType::F16) return unsupported(call, dtype);
  const bool transA = call.args.attributes.integer("trans_a"), transB = call.args.attributes.integer("trans_b");
  const bool hasBias = call.kernel != KernelId::MatMul && call.kernel != KernelId::MatMulGeluGrad;
  if (t.c.elements() == 0) return ready([] { return Status::Ok; });
  if (productSizes(call).k == 0) { // a sum over nothing
    Prepared zeros = ready([to = t.c.data, bytes = size_t(t.c.elements()) * sizeOf(dtype)] {
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
  if (isBuiltByColumns(t, transA, transB)) return buildByColumns(call, t);
  return build(call, t, transA, transB);
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
