#include "tests/cuda_emulation/product.h"

#include "cuda_bf16.h"
#include "cuda_fp16.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace emulation {
namespace {

size_t offsetOf(const MatrixLayout &layout, uint64_t row, uint64_t col) {
  return layout.order == CUBLASLT_ORDER_COL ? row + col * layout.ld : row * layout.ld + col;
}

double loadAs(cudaDataType type, const void *data, size_t index) {
  switch (type) {
  case CUDA_R_16F:
    return static_cast<const __half *>(data)[index];
  case CUDA_R_16BF:
    return static_cast<const __nv_bfloat16 *>(data)[index];
  case CUDA_R_64F:
    return static_cast<const double *>(data)[index];
  default:
    return static_cast<const float *>(data)[index];
  }
}

void storeAs(cudaDataType type, void *data, size_t index, double value) {
  switch (type) {
  case CUDA_R_16F:
    static_cast<__half *>(data)[index] = float(value);
    break;
  case CUDA_R_16BF:
    static_cast<__nv_bfloat16 *>(data)[index] = float(value);
    break;
  case CUDA_R_64F:
    static_cast<double *>(data)[index] = value;
    break;
  default:
    static_cast<float *>(data)[index] = float(value);
  }
}

/// What tensor cores see of a float: 10 bits of fraction, rounded to nearest, ties away.
float toTf32(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  return std::isfinite(value) ? std::bit_cast<float>((bits + 0x1000u) & ~0x1fffu) : value;
}

float roundInput(cublasComputeType_t compute, float value) {
  switch (compute) {
  case CUBLAS_COMPUTE_32F_FAST_TF32:
    return toTf32(value);
  case CUBLAS_COMPUTE_32F_FAST_16BF:
    return bfloatValue(bfloatBits(value));
  case CUBLAS_COMPUTE_32F_FAST_16F:
    return halfValue(halfBits(value));
  default:
    return value;
  }
}

/// op(matrix) row by row.
template <typename T>
std::vector<T> pack(const MatrixLayout &layout, const void *data, bool transpose, cublasComputeType_t compute) {
  uint64_t rows = transpose ? layout.cols : layout.rows, cols = transpose ? layout.rows : layout.cols;
  std::vector<T> packed(rows * cols);
  for (uint64_t row = 0; row < rows; ++row)
    for (uint64_t col = 0; col < cols; ++col) {
      T value = T(loadAs(layout.type, data, transpose ? offsetOf(layout, col, row) : offsetOf(layout, row, col)));
      if constexpr (sizeof(T) == 4) value = roundInput(compute, value);
      packed[row * cols + col] = value;
    }
  return packed;
}

/// sum[m][n] = a[m][k] b[k][n], in bands of rows of b that stay in cache. The operands were checked when packed.
template <typename T>
__attribute__((no_sanitize("address", "undefined"))) void multiply(const T *__restrict__ a, const T *__restrict__ b,
                                                                   T *__restrict__ sum, size_t m, size_t n, size_t k) {
  constexpr size_t kBand = 64;
  for (size_t band = 0; band < k; band += kBand)
    for (size_t row = 0; row < m; ++row)
      for (size_t p = band; p < std::min(k, band + kBand); ++p) {
        T factor = a[row * k + p];
        for (size_t col = 0; col < n; ++col)
          sum[row * n + col] += factor * b[p * n + col];
      }
}

double gelu(double x) { return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); }

double geluSlope(double x) {
  const double t = std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x);
}

void *moved(void *data, cudaDataType type, int64_t elements) {
  return data ? static_cast<std::byte *>(data) + elements * int64_t(bytesOf(type)) : nullptr;
}
const void *moved(const void *data, cudaDataType type, int64_t elements) {
  return moved(const_cast<void *>(data), type, elements);
}

/// The epilogue of one product of a batch, element by element.
template <typename T> void writeResult(const Product &product, const std::vector<T> &sum, int batch) {
  const ProductKind &kind = product.kind;
  const MatrixLayout &c = product.c, &d = product.d;
  auto biasType = kind.biasType < 0 ? d.type : cudaDataType(kind.biasType);
  auto auxType = kind.auxType < 0 ? d.type : cudaDataType(kind.auxType);
  const void *cData = moved(product.cData, c.type, batch * c.batchStride);
  const void *bias = moved(kind.bias, biasType, batch * kind.biasBatchStride);
  void *dData = moved(product.dData, d.type, batch * d.batchStride);
  void *aux = moved(kind.aux, auxType, batch * kind.auxBatchStride);
  for (uint64_t row = 0; row < d.rows; ++row)
    for (uint64_t col = 0; col < d.cols; ++col) {
      T value = T(product.alpha) * sum[row * d.cols + col];
      if (product.beta != 0) value += T(product.beta) * T(loadAs(c.type, cData, offsetOf(c, row, col)));
      if (hasBias(kind.epilogue)) value += T(loadAs(biasType, bias, row));
      if (kind.epilogue == CUBLASLT_EPILOGUE_DGELU)
        value *= T(geluSlope(loadAs(auxType, aux, row + col * kind.auxLd)));
      else if (hasAux(kind.epilogue))
        storeAs(auxType, aux, row + col * kind.auxLd, value);
      if (hasGelu(kind.epilogue)) value = T(gelu(value));
      storeAs(d.type, dData, offsetOf(d, row, col), value);
    }
}

template <typename T> void computeAs(const Product &product) {
  const ProductKind &kind = product.kind;
  const MatrixLayout &a = product.a, &b = product.b;
  size_t m = product.d.rows, n = product.d.cols, k = kind.transA == CUBLAS_OP_N ? a.cols : a.rows;
  std::vector<T> sum(m * n);
  for (int batch = 0; batch < product.d.batches; ++batch) {
    const void *aData = moved(product.aData, a.type, batch * a.batchStride);
    const void *bData = moved(product.bData, b.type, batch * b.batchStride);
    std::vector<T> left = pack<T>(a, aData, kind.transA != CUBLAS_OP_N, kind.compute);
    std::vector<T> right = pack<T>(b, bData, kind.transB != CUBLAS_OP_N, kind.compute);
    std::fill(sum.begin(), sum.end(), T(0));
    multiply(left.data(), right.data(), sum.data(), m, n, k);
    writeResult(product, sum, batch);
  }
}

} // namespace

bool hasBias(cublasLtEpilogue_t epilogue) { return epilogue & CUBLASLT_EPILOGUE_BIAS; }
bool hasGelu(cublasLtEpilogue_t epilogue) { return epilogue & CUBLASLT_EPILOGUE_GELU; }
bool hasAux(cublasLtEpilogue_t epilogue) { return epilogue & 128; }

size_t bytesOf(cudaDataType type) { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }

void computeProduct(const Product &product) {
  if (product.kind.scaleType == CUDA_R_64F)
    computeAs<double>(product);
  else
    computeAs<float>(product);
}

} // namespace emulation
