// cuBLASLt: descriptors, what of them is refused, and the product as work in a stream.
#include "tests/cuda_emulation/product.h"
#include "tests/cuda_emulation/state.h"

#include <cstring>

namespace emulation {
namespace {

constexpr uint64_t kAlgorithm = 0x6175746f7470; // any mark: tells a result of the heuristic from memory never written

template <typename T> cublasStatus_t assign(T &field, const void *buf, size_t sizeInBytes) {
  if (!buf || sizeInBytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(static_cast<void *>(&field), buf, sizeof(T));
  return CUBLAS_STATUS_SUCCESS;
}

bool isElement(cudaDataType type) {
  return type == CUDA_R_32F || type == CUDA_R_64F || type == CUDA_R_16F || type == CUDA_R_16BF;
}

bool isLaidOut(const MatrixLayout &layout) {
  uint64_t line = layout.order == CUBLASLT_ORDER_COL ? layout.rows : layout.cols;
  return layout.rows > 0 && layout.cols > 0 && layout.batches > 0 && layout.ld > 0 && uint64_t(layout.ld) >= line;
}

/// The rows of the library's table of types that the project may use.
bool typesFit(const ProductKind &kind, cudaDataType input, cudaDataType output) {
  switch (kind.compute) {
  case CUBLAS_COMPUTE_32F:
  case CUBLAS_COMPUTE_32F_PEDANTIC:
    return kind.scaleType == CUDA_R_32F && input != CUDA_R_64F && (output == input || output == CUDA_R_32F);
  case CUBLAS_COMPUTE_32F_FAST_TF32:
  case CUBLAS_COMPUTE_32F_FAST_16BF:
  case CUBLAS_COMPUTE_32F_FAST_16F:
    return kind.scaleType == CUDA_R_32F && input == CUDA_R_32F && output == CUDA_R_32F;
  case CUBLAS_COMPUTE_64F:
  case CUBLAS_COMPUTE_64F_PEDANTIC:
    return kind.scaleType == CUDA_R_64F && input == CUDA_R_64F && output == CUDA_R_64F;
  default:
    return false;
  }
}

bool epilogueFits(const ProductKind &kind, const MatrixLayout &d) {
  if (kind.epilogue == CUBLASLT_EPILOGUE_DEFAULT) return true;
  if (kind.epilogue != CUBLASLT_EPILOGUE_DGELU && (kind.epilogue & ~CUBLASLT_EPILOGUE_GELU_AUX_BIAS)) return false;
  if (d.order != CUBLASLT_ORDER_COL || d.type == CUDA_R_64F) return false; // a bias goes down the rows of a column
  if (!hasAux(kind.epilogue)) return true;
  return kind.auxLd >= int64_t(d.rows) && kind.auxLd % 8 == 0 &&
         kind.auxBatchStride % 8 == 0; // as the library documents it for GELU's
}

cublasStatus_t check(const ProductKind &kind, const MatrixLayout &a, const MatrixLayout &b, const MatrixLayout &c,
                     const MatrixLayout &d) {
  for (const MatrixLayout *layout : {&a, &b, &c, &d}) {
    if (!isElement(layout->type)) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!isLaidOut(*layout) || layout->batches != d.batches) return CUBLAS_STATUS_INVALID_VALUE;
  }
  bool transA = kind.transA != CUBLAS_OP_N, transB = kind.transB != CUBLAS_OP_N;
  if (kind.transC != CUBLAS_OP_N) return CUBLAS_STATUS_NOT_SUPPORTED;
  uint64_t m = transA ? a.cols : a.rows, k = transA ? a.rows : a.cols;
  uint64_t n = transB ? b.rows : b.cols, kOfB = transB ? b.cols : b.rows;
  if (k != kOfB || d.rows != m || d.cols != n || c.rows != m || c.cols != n) return CUBLAS_STATUS_INVALID_VALUE;
  if (d.batches > 1 && d.batchStride == 0) return CUBLAS_STATUS_INVALID_VALUE; // batches would write one place
  if (a.type != b.type || c.type != d.type || c.order != d.order) return CUBLAS_STATUS_NOT_SUPPORTED;
  return typesFit(kind, a.type, d.type) && epilogueFits(kind, d) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

double scalar(cudaDataType type, const void *value) {
  if (type == CUDA_R_64F) return *static_cast<const double *>(value);
  return *static_cast<const float *>(value);
}

cublasStatus_t statusOf(cudaError_t error) {
  if (error == cudaSuccess) return CUBLAS_STATUS_SUCCESS;
  return error == cudaErrorInvalidResourceHandle ? CUBLAS_STATUS_INVALID_VALUE : CUBLAS_STATUS_EXECUTION_FAILED;
}

bool isAligned(const void *pointer, size_t bytes) { return reinterpret_cast<uintptr_t>(pointer) % bytes == 0; }

cublasStatus_t checkPointers(const Product &product, const void *workspace, size_t workspaceBytes) {
  if (!product.aData || !product.bData || !product.dData) return CUBLAS_STATUS_INVALID_VALUE;
  if (!isAligned(product.aData, bytesOf(product.a.type)) || !isAligned(product.bData, bytesOf(product.b.type)) ||
      !isAligned(product.dData, bytesOf(product.d.type)))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (workspaceBytes && (!workspace || !isAligned(workspace, 256))) return CUBLAS_STATUS_INVALID_VALUE;
  if (hasBias(product.kind.epilogue) && !product.kind.bias) return CUBLAS_STATUS_INVALID_VALUE;
  if (hasAux(product.kind.epilogue) && (!product.kind.aux || !isAligned(product.kind.aux, 16)))
    return CUBLAS_STATUS_INVALID_VALUE;
  return CUBLAS_STATUS_SUCCESS;
}

} // namespace
} // namespace emulation

using namespace emulation;

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
  if (!handle) return CUBLAS_STATUS_INVALID_VALUE;
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = new cublasLtContext{device};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion() { return 130000; }

const char *cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
  case CUBLAS_STATUS_SUCCESS:
    return "CUBLAS_STATUS_SUCCESS";
  case CUBLAS_STATUS_NOT_INITIALIZED:
    return "CUBLAS_STATUS_NOT_INITIALIZED";
  case CUBLAS_STATUS_INVALID_VALUE:
    return "CUBLAS_STATUS_INVALID_VALUE";
  case CUBLAS_STATUS_NOT_SUPPORTED:
    return "CUBLAS_STATUS_NOT_SUPPORTED";
  case CUBLAS_STATUS_EXECUTION_FAILED:
    return "CUBLAS_STATUS_EXECUTION_FAILED";
  default:
    return "CUBLAS_STATUS of another kind";
  }
}

const char *cublasLtGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, cublasComputeType_t computeType,
                                        cudaDataType_t scaleType) {
  if (!desc) return CUBLAS_STATUS_INVALID_VALUE;
  *desc = new cublasLtMatmulDescOpaque_t{{.compute = computeType, .scaleType = scaleType}};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attr,
                                              const void *buf, size_t size) {
  if (!desc) return CUBLAS_STATUS_INVALID_VALUE;
  ProductKind &kind = desc->kind;
  switch (attr) {
  case CUBLASLT_MATMUL_DESC_COMPUTE_TYPE:
    return assign(kind.compute, buf, size);
  case CUBLASLT_MATMUL_DESC_SCALE_TYPE:
    return assign(kind.scaleType, buf, size);
  case CUBLASLT_MATMUL_DESC_POINTER_MODE:
    return assign(kind.pointerMode, buf, size);
  case CUBLASLT_MATMUL_DESC_TRANSA:
    return assign(kind.transA, buf, size);
  case CUBLASLT_MATMUL_DESC_TRANSB:
    return assign(kind.transB, buf, size);
  case CUBLASLT_MATMUL_DESC_TRANSC:
    return assign(kind.transC, buf, size);
  case CUBLASLT_MATMUL_DESC_EPILOGUE:
    return assign(kind.epilogue, buf, size);
  case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
    return assign(kind.bias, buf, size);
  case CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE:
    return assign(kind.biasBatchStride, buf, size);
  case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
    return assign(kind.biasType, buf, size);
  case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
    return assign(kind.aux, buf, size);
  case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
    return assign(kind.auxLd, buf, size);
  case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE:
    return assign(kind.auxBatchStride, buf, size);
  case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE:
    return assign(kind.auxType, buf, size);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
  if (!layout) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = new cublasLtMatrixLayoutOpaque_t{{.type = type, .rows = rows, .cols = cols, .ld = ld}};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t desc, cublasLtMatrixLayoutAttribute_t attr,
                                                const void *buf, size_t size) {
  if (!desc) return CUBLAS_STATUS_INVALID_VALUE;
  MatrixLayout &layout = desc->layout;
  switch (attr) {
  case CUBLASLT_MATRIX_LAYOUT_TYPE:
    return assign(layout.type, buf, size);
  case CUBLASLT_MATRIX_LAYOUT_ORDER:
    return assign(layout.order, buf, size);
  case CUBLASLT_MATRIX_LAYOUT_ROWS:
    return assign(layout.rows, buf, size);
  case CUBLASLT_MATRIX_LAYOUT_COLS:
    return assign(layout.cols, buf, size);
  case CUBLASLT_MATRIX_LAYOUT_LD:
    return assign(layout.ld, buf, size);
  case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
    return assign(layout.batches, buf, size);
  case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
    return assign(layout.batchStride, buf, size);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
  if (!preference) return CUBLAS_STATUS_INVALID_VALUE;
  *preference = new cublasLtMatmulPreferenceOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attr, const void *buf,
                                                    size_t size) {
  if (!preference || !buf) return CUBLAS_STATUS_INVALID_VALUE;
  if (attr == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return assign(preference->maxWorkspaceBytes, buf, size);
  return size == sizeof(uint32_t) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t Adesc, cublasLtMatrixLayout_t Bdesc,
                                              cublasLtMatrixLayout_t Cdesc, cublasLtMatrixLayout_t Ddesc,
                                              cublasLtMatmulPreference_t preference, int requestedAlgoCount,
                                              cublasLtMatmulHeuristicResult_t results[], int *returnAlgoCount) {
  if (returnAlgoCount) *returnAlgoCount = 0;
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!desc || !Adesc || !Bdesc || !Cdesc || !Ddesc || !preference || !results || !returnAlgoCount)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (requestedAlgoCount <= 0) return CUBLAS_STATUS_INVALID_VALUE;
  cublasStatus_t status = check(desc->kind, Adesc->layout, Bdesc->layout, Cdesc->layout, Ddesc->layout);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  results[0] = {
      .algo = {{kAlgorithm}}, .workspaceSize = 0, .state = CUBLAS_STATUS_SUCCESS, .wavesCount = 1, .reserved = {}};
  *returnAlgoCount = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *A,
                              cublasLtMatrixLayout_t Adesc, const void *B, cublasLtMatrixLayout_t Bdesc,
                              const void *beta, const void *C, cublasLtMatrixLayout_t Cdesc, void *D,
                              cublasLtMatrixLayout_t Ddesc, const cublasLtMatmulAlgo_t *algo, void *workspace,
                              size_t workspaceSizeInBytes, cudaStream_t handleOfStream) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!desc || !Adesc || !Bdesc || !Cdesc || !Ddesc || !alpha || !beta) return CUBLAS_STATUS_INVALID_VALUE;
  if (algo && algo->data[0] != kAlgorithm) return CUBLAS_STATUS_INVALID_VALUE;
  Product product{desc->kind, Adesc->layout, Bdesc->layout, Cdesc->layout, Ddesc->layout, A, B, C, D};
  cublasStatus_t status = check(product.kind, product.a, product.b, product.c, product.d);
  if (status == CUBLAS_STATUS_SUCCESS) status = checkPointers(product, workspace, workspaceSizeInBytes);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  cudaDataType scale = product.kind.scaleType;
  bool onHost = product.kind.pointerMode == CUBLASLT_POINTER_MODE_HOST;
  if (onHost) {
    product.alpha = scalar(scale, alpha);
    product.beta = scalar(scale, beta);
    if (product.beta != 0 && !C) return CUBLAS_STATUS_INVALID_VALUE;
  }
  return statusOf(call([&](State &state, Lock &) {
    CUstream_st *stream = findStream(state, handleOfStream);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->device != handle->device) return cudaErrorInvalidResourceHandle;
    Work work{.name = "matrix product"};
    work.run = [product, onHost, alpha, beta, scale]() mutable {
      if (!onHost) product.alpha = scalar(scale, alpha), product.beta = scalar(scale, beta);
      computeProduct(product);
      return std::string();
    };
    return enqueue(state, stream, std::move(work));
  }));
}
