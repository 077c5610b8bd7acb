/// \file The only file that includes oneDNN. Transposes and broadcasting are strides; nothing is copied.
#include "runtime/device/cpu/product.h"

#include <dnnl.hpp>

#include <omp.h>

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

/// While it lives, oneDNN makes products for so many threads: it asks OpenMP, and keeps the answer.
class ThreadsOfLibrary {
public:
  explicit ThreadsOfLibrary(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~ThreadsOfLibrary() { omp_set_num_threads(before_); }
  ThreadsOfLibrary(const ThreadsOfLibrary &) = delete;
  ThreadsOfLibrary &operator=(const ThreadsOfLibrary &) = delete;

private:
  int before_;
};

} // namespace

Prepared wholeProduct(const Call &call, const ProductTensors &t, bool transA, bool transB) {
  using dnnl::memory;
  const size_t rank = std::max(t.a.shape.size(), t.b.shape.size());
  const View views[] = {viewOf(t.a, rank, transA, t.aStride), viewOf(t.b, rank, transB, t.bStride),
                        viewOf(t.c, rank, false, t.cStride), viewOf(t.bias, rank, false)};
  const TensorArg *tensors[] = {&t.a, &t.b, &t.c, &t.bias};
  const int names[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS};
  const size_t count = t.bias.data ? 4 : 3;
  limitLibrary();
  const ThreadsOfLibrary threads(call.threads);
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

} // namespace autotp::cpu
