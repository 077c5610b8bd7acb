/// \file Products, by cuBLASLt: the only file that calls it. Transposes and broadcasting are strides; nothing is
/// copied. A row-major [m, n] is a column-major [n, m], so that the library is asked for the transposed product: C' =
/// B' A'.
#include "runtime/device/broadcast.h"
#include "runtime/device/cuda/kernel_table.h"

#include <cstring>

namespace autotp::cuda {

namespace {

/// Batches beyond those of one library call: an offset for each operand, in elements.
struct BatchOffset {
  int64_t a, b, c;
};
struct Batches {
  int64_t count = 1, strideA = 0, strideB = 0, strideC = 0; ///< of one call
  std::vector<BatchOffset> calls{{0, 0, 0}};
};

llvm::Expected<Batches> batchesOf(const Call &call, const TensorArg &a, const TensorArg &b, const TensorArg &c,
                                  ProductSizes z) {
  KernelCall leading{call.kernel, {}, call.device};
  for (const TensorArg *t : {&a, &b})
    leading.args.operands.push_back({nullptr, t->dtype, {t->shape.begin(), t->shape.end() - 2}});
  leading.args.results.push_back({nullptr, c.dtype, {c.shape.begin(), c.shape.end() - 2}});
  llvm::Expected<BroadcastRows> rows = broadcastRows(leading);
  if (!rows) return rows.takeError();
  const int64_t sizeA = z.m * z.k, sizeB = z.k * z.n, sizeC = z.m * z.n;
  Batches batches{rows->inner, rows->innerStrides[0] * sizeA, rows->innerStrides[1] * sizeB, sizeC, {}};
  for (int64_t row = 0; row < rows->rows; ++row) {
    const auto at = rows->offsets(row);
    batches.calls.push_back({at[0] * sizeA, at[1] * sizeB, row * rows->inner * sizeC});
  }
  return batches;
}

/// The largest power of two up to 256 that divides an address and all strides from it.
uint32_t alignmentOf(const TensorArg &tensor, int64_t stride, const Batches &batches, int64_t BatchOffset::*offset) {
  const uint64_t size = sizeOf(tensor.dtype);
  uint64_t all = reinterpret_cast<uintptr_t>(tensor.data) | uint64_t(stride) * size | 256;
  for (const BatchOffset &call : batches.calls)
    all |= uint64_t(call.*offset) * size;
  return uint32_t(all & (~all + 1));
}

cudaDataType libraryType(DType dtype) {
  return dtype == DType::BF16 ? CUDA_R_16BF : dtype == DType::F16 ? CUDA_R_16F : CUDA_R_32F;
}

/// What the library does with each element before it is written: our [m, n] is its column-major [n, m], so that a bias
/// along our columns goes down its rows, as it wants it.
struct Epilogue {
  cublasLtEpilogue_t kind = CUBLASLT_EPILOGUE_DEFAULT;
  const void *bias = nullptr; ///< null where it has none
  void *aux = nullptr;        ///< what gelu is taken of, kept or read; null where there is no gelu
};

/// Sums are f32, whatever the dtype.
class Product final : public PreparedKernel {
public:
  Product(const Call &call, Batches batches, TensorArg a, TensorArg b, TensorArg c, Epilogue epilogue)
      : gpu_(call.gpu), batches_(std::move(batches)), workspace_(call.args.workspace), a_(std::move(a)),
        b_(std::move(b)), c_(std::move(c)), epilogue_(epilogue) {}
  ~Product() override {
    for (cublasLtMatrixLayout_t layout : {layoutA_, layoutB_, layoutC_})
      if (layout) cublasLtMatrixLayoutDestroy(layout);
    if (description_) cublasLtMatmulDescDestroy(description_);
  }

  bool open(ProductSizes z, bool transA, bool transB) {
    const bool rounds = gpu_.allowsTf32 && a_.dtype == DType::F32;
    const cublasComputeType_t compute = rounds ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    const cublasOperation_t operations[] = {CUBLAS_OP_N, CUBLAS_OP_T};
    note(cublasLtMatmulDescCreate(&description_, compute, CUDA_R_32F));
    set(CUBLASLT_MATMUL_DESC_TRANSA, operations[transB]); // B comes first
    set(CUBLASLT_MATMUL_DESC_TRANSB, operations[transA]);
    if (epilogue_.kind != CUBLASLT_EPILOGUE_DEFAULT) setEpilogue(z);
    describe(layoutB_, b_.dtype, transB ? z.k : z.n, transB ? z.n : z.k, batches_.strideB);
    describe(layoutA_, a_.dtype, transA ? z.m : z.k, transA ? z.k : z.m, batches_.strideA);
    describe(layoutC_, c_.dtype, z.n, z.m, batches_.strideC);
    choose();
    return isSound_;
  }

  Status run() override {
    const float one = 1, none = 0;
    for (const BatchOffset &at : batches_.calls) {
      void *c = addressOf(c_, at.c);
      if (cublasLtMatmul(gpu_.products, description_, &one, addressOf(b_, at.b), layoutB_, addressOf(a_, at.a),
                         layoutA_, &none, c, layoutC_, c, layoutC_, &algorithm_, workspace_.data(), workspace_.size(),
                         gpu_.compute) != CUBLAS_STATUS_SUCCESS)
        return Status::LibraryFailed;
    }
    return Status::Ok;
  }

private:
  static void *addressOf(const TensorArg &tensor, int64_t element) {
    return tensor.as<char>() + element * int64_t(sizeOf(tensor.dtype));
  }
  void note(cublasStatus_t status) { isSound_ = isSound_ && status == CUBLAS_STATUS_SUCCESS; }

  template <typename T> void set(cublasLtMatmulDescAttributes_t which, const T &value) {
    if (isSound_) note(cublasLtMatmulDescSetAttribute(description_, which, &value, sizeof value));
  }

  /// Every batch has the same bias, which is the library's default, as are its dtype and that of what is kept: the
  /// result's. The heuristic reads from the addresses how they are aligned.
  void setEpilogue(ProductSizes z) {
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_.kind);
    if (epilogue_.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, epilogue_.bias);
    if (!epilogue_.aux) return;
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, epilogue_.aux);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, z.n);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, batches_.strideC);
  }

  void describe(cublasLtMatrixLayout_t &layout, DType dtype, int64_t rows, int64_t columns, int64_t stride) {
    const int32_t count = int32_t(batches_.count);
    if (isSound_)
      note(cublasLtMatrixLayoutCreate(&layout, libraryType(dtype), uint64_t(rows), uint64_t(columns), rows));
    if (isSound_)
      note(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count));
    if (isSound_)
      note(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                                            sizeof stride));
  }

  void prefer(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t which, const void *value,
              size_t bytes) {
    if (isSound_) note(cublasLtMatmulPreferenceSetAttribute(preference, which, value, bytes));
  }

  /// Asks the heuristic once.
  void choose() {
    cublasLtMatmulPreference_t preference = nullptr;
    if (isSound_) note(cublasLtMatmulPreferenceCreate(&preference));
    if (!isSound_) return;
    const uint64_t workspace = workspace_.size();
    // Partial sums meet in the workspace in a fixed order, so that every run gives the same bits.
    const uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    const uint32_t alignments[] = {alignmentOf(b_, batches_.strideB, batches_, &BatchOffset::b),
                                   alignmentOf(a_, batches_.strideA, batches_, &BatchOffset::a),
                                   alignmentOf(c_, batches_.strideC, batches_, &BatchOffset::c)};
    prefer(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace);
    prefer(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reduction, sizeof reduction);
    prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &alignments[0], sizeof(uint32_t));
    prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &alignments[1], sizeof(uint32_t));
    prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &alignments[2], sizeof(uint32_t));
    prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &alignments[2], sizeof(uint32_t));
    cublasLtMatmulHeuristicResult_t best{};
    int found = 0;
    if (isSound_)
      note(cublasLtMatmulAlgoGetHeuristic(gpu_.products, description_, layoutB_, layoutA_, layoutC_, layoutC_,
                                          preference, 1, &best, &found));
    isSound_ = isSound_ && found == 1 && best.state == CUBLAS_STATUS_SUCCESS;
    algorithm_ = best.algo;
    cublasLtMatmulPreferenceDestroy(preference);
  }

  Gpu &gpu_;
  Batches batches_;
  std::span<std::byte> workspace_;
  TensorArg a_, b_, c_; ///< of one dtype, but that c may be f32
  Epilogue epilogue_;
  cublasLtMatmulDesc_t description_ = nullptr;
  cublasLtMatrixLayout_t layoutA_ = nullptr, layoutB_ = nullptr, layoutC_ = nullptr;
  cublasLtMatmulAlgo_t algorithm_{};
  bool isSound_ = true; ///< no call of the library has failed
};

/// Leading dimensions of the left side are more rows where the right side has none.
void foldRows(TensorArg &a, TensorArg &c, ProductSizes &z) {
  z.m = z.k ? a.elements() / z.k : 0;
  a.shape = {z.m, z.k};
  c.shape = {z.m, z.n};
}

/// Another kernel on tensors of `call`.
Prepared prepareOther(const Call &call, KernelId kernel, std::vector<TensorArg> operands, TensorArg result) {
  Call other{{kernel, {}, call.device}, call.gpu, call.ordinal};
  other.args.operands = std::move(operands);
  other.args.results = {std::move(result)};
  other.args.attributes.set("tanh", int64_t(1)); // gelu's form in all fused kernels
  return findRow(kernel)->prepare(other);
}

/// What the library has no algorithm for: the product, then kernels of our own.
Prepared withKernels(const Call &call, Prepared product) {
  TensorArg third = call.args.operands[2], result = call.args.results[0], last = call.args.results.back();
  result.shape = last.shape = productShape(call);
  std::vector<Prepared> wanted;
  wanted.push_back(std::move(product));
  if (call.kernel == KernelId::MatMulGeluGrad) {
    third.shape = result.shape;
    wanted.push_back(prepareOther(call, KernelId::GeluGrad, {third, result}, result));
  } else {
    wanted.push_back(prepareOther(call, KernelId::Add, {result, third}, result));
  }
  if (call.kernel == KernelId::MatMulBiasGelu) wanted.push_back(prepareOther(call, KernelId::Gelu, {result}, last));
  std::vector<std::unique_ptr<PreparedKernel>> kernels;
  llvm::Error errors = llvm::Error::success();
  for (Prepared &kernel : wanted)
    if (kernel)
      kernels.push_back(std::move(*kernel));
    else
      errors = llvm::joinErrors(std::move(errors), kernel.takeError());
  if (errors) return taken(errors);
  return ready([kernels = std::move(kernels)] {
    for (const auto &kernel : kernels)
      if (Status status = kernel->run(); status != Status::Ok) return status;
    return Status::Ok;
  });
}

/// None where the kernel has none, or the library cannot take what gelu is taken of as we lay it out: its columns begin
/// on 16 bytes and are multiples of 8 elements (CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD), and one call has all of it.
Epilogue epilogueOf(const Call &call, ProductSizes z, const Batches &batches) {
  const auto &in = call.args.operands;
  if (call.kernel == KernelId::MatMul) return {};
  if (call.kernel == KernelId::MatMulBias) return {CUBLASLT_EPILOGUE_BIAS, in[2].data, nullptr};
  const bool isGrad = call.kernel == KernelId::MatMulGeluGrad;
  void *aux = isGrad ? in[2].data : call.args.results[0].data;
  if (!isAligned(aux, 16) || z.n % 8 != 0 || batches.calls.size() > 1) return {};
  if (isGrad) return {CUBLASLT_EPILOGUE_DGELU, nullptr, aux};
  return {CUBLASLT_EPILOGUE_GELU_AUX_BIAS, in[2].data, aux};
}

Prepared prepareMatMul(const Call &call) {
  TensorArg a = call.args.operands[0], b = call.args.operands[1], c = call.args.results[0];
  if (a.dtype != DType::F32 && a.dtype != DType::BF16 && a.dtype != DType::F16) return unsupported(call, a.dtype);
  const bool transA = call.args.attributes.integer("trans_a"), transB = call.args.attributes.integer("trans_b");
  const bool isPlain = call.kernel == KernelId::MatMul;
  ProductSizes z = productSizes(call);
  c.shape = productShape(call);
  if (c.elements() == 0) return nothingToDo();
  if (z.k == 0) { // a sum over nothing
    Prepared zeros = ready([to = c.data, bytes = size_t(c.elements()) * sizeOf(c.dtype), stream = call.stream()] {
      return cudaMemsetAsync(to, 0, bytes, stream) == cudaSuccess ? Status::Ok : Status::LibraryFailed;
    });
    return isPlain ? std::move(zeros) : withKernels(call, std::move(zeros));
  }
  if (b.shape.size() == 2 && !transA) {
    if (a.elements() / z.k * z.n != c.elements()) return mistake(call, "its result is of another shape");
    foldRows(a, c, z);
  }
  llvm::Expected<Batches> batches = batchesOf(call, a, b, c, z);
  if (!batches) return batches.takeError();
  if (batches->count > INT32_MAX) return mistake(call, "has more batches than cuBLASLt can take");
  if (const Epilogue epilogue = epilogueOf(call, z, *batches); epilogue.kind != CUBLASLT_EPILOGUE_DEFAULT) {
    TensorArg last = c;
    last.data = call.args.results.back().data;
    auto product = std::make_unique<Product>(call, *batches, a, b, last, epilogue);
    if (product->open(z, transA, transB)) return product;
  }
  auto product = std::make_unique<Product>(call, std::move(*batches), a, b, c, Epilogue{});
  if (!product->open(z, transA, transB)) return mistake(call, "cuBLASLt has no algorithm for it");
  if (isPlain) return product;
  return withKernels(call, std::move(product));
}

constexpr KernelRow kRows[] = {{KernelId::MatMul, prepareMatMul},
                               {KernelId::MatMulBias, prepareMatMul},
                               {KernelId::MatMulBiasGelu, prepareMatMul},
                               {KernelId::MatMulGeluGrad, prepareMatMul}};

} // namespace

std::span<const KernelRow> matMulKernels() { return kRows; }

} // namespace autotp::cuda
