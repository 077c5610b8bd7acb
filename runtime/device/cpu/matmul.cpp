/// \file Products, by oneDNN: the only file that includes it. Transposes and broadcasting are strides; nothing is
/// copied.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/storage.h"

#include <dnnl.hpp>

#include <cstring>

namespace autotp::cpu {

namespace {

/// [batch.., rows, columns] of a product's operand, as oneDNN wants to see it.
struct View {
  Shape dims, strides;
};

View viewOf(const TensorArg &tensor, size_t rank, bool isTransposed) {
  Shape dims(rank - tensor.shape.size(), 1);
  dims.insert(dims.end(), tensor.shape.begin(), tensor.shape.end());
  Shape strides(rank, 1);
  for (size_t d = rank - 1; d-- > 0;)
    strides[d] = strides[d + 1] * std::max<int64_t>(dims[d + 1], 1);
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
  Product(dnnl::engine engine, dnnl::matmul primitive, std::vector<std::pair<int, dnnl::memory>> memories)
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

Prepared build(const Call &call, const TensorArg &a, const TensorArg &b, const TensorArg &c, bool transA, bool transB) {
  using dnnl::memory;
  size_t rank = std::max(a.shape.size(), b.shape.size());
  View views[3] = {viewOf(a, rank, transA), viewOf(b, rank, transB), viewOf(c, rank, false)};
  const TensorArg *tensors[3] = {&a, &b, &c};
  const int names[3] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
  try {
    dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    memory::desc descriptors[3];
    for (int i = 0; i < 3; ++i)
      descriptors[i] = memory::desc(views[i].dims, libraryType(tensors[i]->dtype), views[i].strides);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::matmul::primitive_desc chosen(dnnl::matmul::desc(descriptors[0], descriptors[1], descriptors[2]), attributes,
                                        engine);
    if (llvm::Error error = expectWorkspace(call, chosen.scratchpad_desc().get_size())) return error;
    std::vector<std::pair<int, memory>> arguments;
    for (int i = 0; i < 3; ++i)
      arguments.emplace_back(names[i], memory(descriptors[i], engine, tensors[i]->data));
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

/// A product in f32, whose operands and result are stored in S: they pass through the end of the workspace.
template <typename S>
Prepared buildWidened(const Call &call, TensorArg a, TensorArg b, TensorArg c, bool transA, bool transB) {
  TensorArg stored[3] = {a, b, c}, *wide[3] = {&a, &b, &c};
  size_t bytes = 0;
  for (TensorArg *tensor : wide)
    bytes += size_t(tensor->elements()) * sizeof(float);
  if (llvm::Error error = expectWorkspace(call, bytes)) return error;
  Call inF32 = call;
  inF32.args.workspace = call.args.workspace.first((call.args.workspace.size() - bytes) / 64 * 64);
  std::byte *at = call.args.workspace.data() + call.args.workspace.size() - bytes;
  for (TensorArg *tensor : wide) {
    tensor->data = at;
    tensor->dtype = DType::F32;
    at += size_t(tensor->elements()) * sizeof(float);
  }
  Prepared product = build(inF32, a, b, c, transA, transB);
  if (!product) return product.takeError();
  return ready(
      [=, product = std::move(*product), sa = stored[0], sb = stored[1], sc = stored[2], threads = call.threads] {
        convert(a.as<float>(), sa.as<S>(), a.elements(), threads);
        convert(b.as<float>(), sb.as<S>(), b.elements(), threads);
        Status status = product->run();
        convert(sc.as<S>(), c.as<float>(), c.elements(), threads);
        return status;
      });
}

/// oneDNN 2 multiplies bf16 on processors with AVX-512, and f16 on none.
bool multipliesBf16() { return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"); }

Prepared prepareMatMul(Call call) {
  TensorArg a = call.args.operands[0], b = call.args.operands[1], c = call.args.results[0];
  if (a.dtype != DType::F32 && a.dtype != DType::BF16 && a.dtype != DType::F16) return unsupported(call, a.dtype);
  const bool transA = call.args.attributes.integer("trans_a"), transB = call.args.attributes.integer("trans_b");
  const int64_t k = productSizes(call).k;
  if (c.elements() == 0) return ready([] { return Status::Ok; });
  if (k == 0) // a sum over nothing
    return ready([to = c.data, bytes = size_t(c.elements()) * sizeOf(c.dtype)] {
      std::memset(to, 0, bytes);
      return Status::Ok;
    });
  if (b.shape.size() == 2 && !transA) {
    a = asMatrix(a);
    c = asMatrix(c);
  }
  if (a.dtype == DType::F16) return buildWidened<_Float16>(call, a, b, c, transA, transB);
  if (a.dtype == DType::BF16 && !multipliesBf16()) return buildWidened<Bf16>(call, a, b, c, transA, transB);
  return build(call, a, b, c, transA, transB);
}

constexpr KernelRow kRows[] = {{KernelId::MatMul, prepareMatMul}};

} // namespace

std::span<const KernelRow> matMulKernels() { return kRows; }

} // namespace autotp::cpu
