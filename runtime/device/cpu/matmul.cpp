/// \file Products, by oneDNN: the only file that includes it. Transposes and broadcasting are strides; nothing is
/// copied.
#include "runtime/device/checks.h"
#include "runtime/device/cpu/kernel_table.h"

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
      descriptors[i] = memory::desc(views[i].dims, memory::data_type::f32, views[i].strides);
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

Prepared prepareMatMul(Call call) {
  if (llvm::Error error = expectCounts(call, 2, 2, 1)) return error;
  TensorArg a = call.args.operands[0], b = call.args.operands[1], c = call.args.results[0];
  if (llvm::Error error = expectF32(call, {&a, &b, &c})) return error;
  if (a.shape.size() < 2 || b.shape.size() < 2 || c.shape.size() < 2)
    return mistake(call, "its operands need two dimensions");
  bool transA = call.args.attributes.integer("trans_a"), transB = call.args.attributes.integer("trans_b");
  int64_t k = a.shape[a.shape.size() - (transA ? 2 : 1)];
  if (k != b.shape[b.shape.size() - (transB ? 1 : 2)]) return mistake(call, "its operands do not fit");
  const size_t rank = std::max(a.shape.size(), b.shape.size());
  const int64_t m = a.shape[a.shape.size() - (transA ? 1 : 2)], n = b.shape[b.shape.size() - (transB ? 2 : 1)];
  if (c.shape.size() != rank || c.shape[rank - 2] != m || c.shape[rank - 1] != n)
    return mistake(call, "its result is of another shape");
  if (c.elements() == 0) return ready([] { return Status::Ok; });
  if (k == 0) // a sum over nothing
    return ready([to = c.data, bytes = size_t(c.elements()) * sizeof(float)] {
      std::memset(to, 0, bytes);
      return Status::Ok;
    });
  if (b.shape.size() == 2 && !transA) {
    a = asMatrix(a);
    c = asMatrix(c);
  }
  return build(call, a, b, c, transA, transB);
}

constexpr KernelRow kRows[] = {{KernelId::MatMul, prepareMatMul}};

} // namespace

std::span<const KernelRow> matMulKernels() { return kRows; }

} // namespace autotp::cpu
