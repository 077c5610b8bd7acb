/// \file The matrix products behind cublasLtMatmul: plain loops with float accumulation.
#pragma once

#include "cublasLt.h"

namespace emulation {

struct MatrixLayout {
  cudaDataType type = CUDA_R_32F;
  cublasLtOrder_t order = CUBLASLT_ORDER_COL;
  uint64_t rows = 0, cols = 0;
  int64_t ld = 0;
  int32_t batches = 1;
  int64_t batchStride = 0; // elements
};

struct ProductKind {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cudaDataType scaleType = CUDA_R_32F;
  cublasLtPointerMode_t pointerMode = CUBLASLT_POINTER_MODE_HOST;
  cublasOperation_t transA = CUBLAS_OP_N, transB = CUBLAS_OP_N, transC = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void *bias = nullptr;
  int64_t biasBatchStride = 0;
  int32_t biasType = -1; // -1: as D
  void *aux = nullptr;
  int64_t auxLd = 0, auxBatchStride = 0;
  int32_t auxType = -1;
};

/// D = epilogue(alpha op(A) op(B) + beta C), all layouts checked.
struct Product {
  ProductKind kind;
  MatrixLayout a, b, c, d;
  const void *aData = nullptr, *bData = nullptr, *cData = nullptr;
  void *dData = nullptr;
  double alpha = 1, beta = 0;
};

bool hasBias(cublasLtEpilogue_t epilogue);
bool hasGelu(cublasLtEpilogue_t epilogue);
bool hasAux(cublasLtEpilogue_t epilogue); ///< written by gelu, read by its gradient
size_t bytesOf(cudaDataType type);
void computeProduct(const Product &product);

} // namespace emulation

struct cublasLtContext {
  int device;
};
struct cublasLtMatmulDescOpaque_t {
  emulation::ProductKind kind;
};
struct cublasLtMatrixLayoutOpaque_t {
  emulation::MatrixLayout layout;
};
struct cublasLtMatmulPreferenceOpaque_t {
  uint64_t maxWorkspaceBytes = 0;
};
