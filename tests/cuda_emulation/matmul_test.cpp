// cublasLtMatmul against sums written out.
#include "cublasLt.h"
#include "cuda_bf16.h"
#include "cuda_fp16.h"
#include "tests/cuda_emulation/device_array.h"

#include <cmath>

namespace {

struct Shape {
  uint64_t rows, cols;
  bool rowMajor = false;
  int64_t padding = 0; // of the leading dimension
  int64_t ld() const { return int64_t(rowMajor ? cols : rows) + padding; }
  size_t at(uint64_t row, uint64_t col) const { return rowMajor ? row * ld() + col : row + col * ld(); }
  size_t elements() const { return (rowMajor ? rows : cols) * ld(); }
};

class Lt {
public:
  Lt() { EXPECT_EQ(cublasLtCreate(&handle), CUBLAS_STATUS_SUCCESS); }
  ~Lt() { cublasLtDestroy(handle); }
  cublasLtHandle_t handle = nullptr;
};

template <typename T> void setAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attr, T value) {
  EXPECT_EQ(cublasLtMatmulDescSetAttribute(desc, attr, &value, sizeof(value)), CUBLAS_STATUS_SUCCESS);
}

cublasLtMatrixLayout_t layoutOf(const Shape &shape, cudaDataType type, int batches = 1) {
  cublasLtMatrixLayout_t layout = nullptr;
  EXPECT_EQ(cublasLtMatrixLayoutCreate(&layout, type, shape.rows, shape.cols, shape.ld()), CUBLAS_STATUS_SUCCESS);
  cublasLtOrder_t order = shape.rowMajor ? CUBLASLT_ORDER_ROW : CUBLASLT_ORDER_COL;
  int64_t stride = int64_t(shape.elements());
  cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof(order));
  cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batches, sizeof(batches));
  cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof(stride));
  return layout;
}

/// One call, with what the heuristic says of it.
struct Call {
  Shape a, b, d;
  cudaDataType in = CUDA_R_32F, out = CUDA_R_32F;
  bool transA = false, transB = false;
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  float alpha = 1, beta = 0;
  int batches = 1;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void *bias = nullptr;
  void *aux = nullptr;
  int64_t auxLd = 0;
};

cublasStatus_t multiply(const Call &call, const void *a, const void *b, void *d, cudaStream_t stream = nullptr) {
  Lt lt;
  cublasLtMatmulDesc_t desc = nullptr;
  EXPECT_EQ(cublasLtMatmulDescCreate(&desc, call.compute, CUDA_R_32F), CUBLAS_STATUS_SUCCESS);
  setAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSA, call.transA ? CUBLAS_OP_T : CUBLAS_OP_N);
  setAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSB, call.transB ? CUBLAS_OP_T : CUBLAS_OP_N);
  setAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, call.epilogue);
  setAttribute(desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, call.bias);
  setAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, call.aux);
  setAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, call.auxLd);
  cublasLtMatrixLayout_t layouts[] = {layoutOf(call.a, call.in, call.batches), layoutOf(call.b, call.in, call.batches),
                                      layoutOf(call.d, call.out, call.batches)};
  cublasLtMatmulPreference_t preference = nullptr;
  EXPECT_EQ(cublasLtMatmulPreferenceCreate(&preference), CUBLAS_STATUS_SUCCESS);
  cublasLtMatmulHeuristicResult_t found = {};
  int count = 0;
  cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(lt.handle, desc, layouts[0], layouts[1], layouts[2],
                                                         layouts[2], preference, 1, &found, &count);
  EXPECT_EQ(count, status == CUBLAS_STATUS_SUCCESS ? 1 : 0);
  if (status == CUBLAS_STATUS_SUCCESS)
    status = cublasLtMatmul(lt.handle, desc, &call.alpha, a, layouts[0], b, layouts[1], &call.beta, d, layouts[2], d,
                            layouts[2], &found.algo, nullptr, 0, stream);
  cublasLtMatmulPreferenceDestroy(preference);
  for (cublasLtMatrixLayout_t layout : layouts)
    cublasLtMatrixLayoutDestroy(layout);
  cublasLtMatmulDescDestroy(desc);
  return status;
}

template <typename T> std::vector<T> wave(size_t n, double step) {
  std::vector<T> values(n);
  for (size_t i = 0; i < n; ++i)
    values[i] = T(float(std::sin(double(i) * step + 0.3)));
  return values;
}

/// Every element of the product against a sum in double.
template <typename In, typename Out> void checkProduct(Call call, double bound) {
  size_t batches = size_t(call.batches), na = call.a.elements(), nb = call.b.elements(), nd = call.d.elements();
  std::vector<In> a = wave<In>(na * batches, 0.7), b = wave<In>(nb * batches, 1.3);
  std::vector<Out> before = wave<Out>(nd * batches, 0.2);
  DeviceArray<In> deviceA(a), deviceB(b);
  DeviceArray<Out> deviceD(before);
  ASSERT_EQ(multiply(call, deviceA, deviceB, deviceD), CUBLAS_STATUS_SUCCESS);
  std::vector<Out> result = deviceD.get();
  uint64_t k = call.transA ? call.a.rows : call.a.cols;
  for (size_t batch = 0; batch < batches; ++batch)
    for (uint64_t row = 0; row < call.d.rows; ++row)
      for (uint64_t col = 0; col < call.d.cols; ++col) {
        double sum = 0;
        for (uint64_t p = 0; p < k; ++p)
          sum += double(float(a[batch * na + (call.transA ? call.a.at(p, row) : call.a.at(row, p))])) *
                 double(float(b[batch * nb + (call.transB ? call.b.at(col, p) : call.b.at(p, col))]));
        size_t at = batch * nd + call.d.at(row, col);
        double expected = call.alpha * sum + call.beta * double(float(before[at]));
        ASSERT_NEAR(double(float(result[at])), expected, bound) << row << "," << col << " of batch " << batch;
      }
}

TEST(MatMul, EveryOrderTransposeAndBatch) {
  constexpr uint64_t m = 5, n = 7, k = 9;
  for (int bits = 0; bits < 64; ++bits) {
    bool rowA = bits & 1, rowB = bits & 2, rowD = bits & 4;
    Call call;
    call.transA = bits & 8, call.transB = bits & 16;
    call.a = call.transA ? Shape{k, m, rowA, 3} : Shape{m, k, rowA, 3};
    call.b = call.transB ? Shape{n, k, rowB, 1} : Shape{k, n, rowB, 1};
    call.d = Shape{m, n, rowD, 2};
    call.batches = bits & 32 ? 3 : 1;
    call.alpha = 0.5f, call.beta = bits % 3 == 0 ? 2.0f : 0.0f;
    checkProduct<float, float>(call, 1e-5);
  }
}

TEST(MatMul, SixteenBitOperands) {
  Call call{.a = {33, 17}, .b = {17, 20}, .d = {33, 20}};
  call.in = CUDA_R_16BF;
  checkProduct<__nv_bfloat16, float>(call, 1e-5);
  call.out = CUDA_R_16BF;
  checkProduct<__nv_bfloat16, __nv_bfloat16>(call, 0.05);
  call.in = call.out = CUDA_R_16F;
  checkProduct<__half, __half>(call, 0.01);
}

TEST(MatMul, Tf32RoundsItsInputs) {
  Call call{.a = {1, 1}, .b = {1, 1}, .d = {1, 1}};
  DeviceArray<float> a(std::vector<float>{1 + 1.0f / 1024 + 1.0f / 8192}), b(std::vector<float>{1}), d(1);
  call.compute = CUBLAS_COMPUTE_32F_FAST_TF32;
  ASSERT_EQ(multiply(call, a, b, d), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(d.get()[0], 1 + 1.0f / 1024);
}

TEST(MatMul, BetaZeroDoesNotReadC) {
  Call call{.a = {2, 2}, .b = {2, 2}, .d = {2, 2}};
  DeviceArray<float> a(std::vector<float>{1, 2, 3, 4}), b(std::vector<float>{1, 0, 0, 1}), d(4); // d holds NaN
  ASSERT_EQ(multiply(call, a, b, d), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(d.get(), (std::vector<float>{1, 2, 3, 4}));
}

TEST(MatMul, BiasAndGeluWithItsInputKept) {
  Call call{.a = {8, 2}, .b = {2, 3}, .d = {8, 3}};
  std::vector<float> a = wave<float>(16, 0.7), b = wave<float>(6, 1.3), bias = wave<float>(8, 0.4);
  DeviceArray<float> deviceA(a), deviceB(b), deviceBias(bias), d(24), aux(24);
  call.epilogue = CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
  call.bias = static_cast<float *>(deviceBias), call.aux = static_cast<float *>(aux), call.auxLd = 8;
  ASSERT_EQ(multiply(call, deviceA, deviceB, d), CUBLAS_STATUS_SUCCESS);
  std::vector<float> result = d.get(), kept = aux.get();
  for (int row = 0; row < 8; ++row)
    for (int col = 0; col < 3; ++col) {
      double x = a[row] * b[2 * col] + a[8 + row] * b[2 * col + 1] + bias[row];
      EXPECT_NEAR(kept[row + 8 * col], x, 1e-6);
      EXPECT_NEAR(result[row + 8 * col], 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))),
                  1e-6);
    }
}

TEST(MatMul, GeluGradientReadsWhatWasKept) {
  Call call{.a = {8, 2}, .b = {2, 3}, .d = {8, 3}};
  std::vector<float> a = wave<float>(16, 0.7), b = wave<float>(6, 1.3), kept = wave<float>(24, 0.4);
  DeviceArray<float> deviceA(a), deviceB(b), aux(kept), d(24);
  call.epilogue = CUBLASLT_EPILOGUE_DGELU;
  call.aux = static_cast<float *>(aux), call.auxLd = 8;
  ASSERT_EQ(multiply(call, deviceA, deviceB, d), CUBLAS_STATUS_SUCCESS);
  std::vector<float> result = d.get();
  EXPECT_EQ(aux.get(), kept);
  auto gelu = [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); };
  for (int row = 0; row < 8; ++row)
    for (int col = 0; col < 3; ++col) {
      const double product = a[row] * b[2 * col] + a[8 + row] * b[2 * col + 1], x = kept[row + 8 * col], h = 1e-5;
      EXPECT_NEAR(result[row + 8 * col], product * (gelu(x + h) - gelu(x - h)) / (2 * h), 1e-6);
    }
}

TEST(MatMul, WhatTheLibraryRefusesIsRefused) {
  DeviceArray<float> data(64);
  Call call{.a = {2, 3}, .b = {4, 2}, .d = {2, 2}};
  EXPECT_EQ(multiply(call, data, data, data), CUBLAS_STATUS_INVALID_VALUE) << "sums of different length";
  call = {.a = {2, 3, false, -1}, .b = {3, 2}, .d = {2, 2}};
  EXPECT_EQ(multiply(call, data, data, data), CUBLAS_STATUS_INVALID_VALUE) << "a leading dimension too small";
  call = {.a = {2, 3}, .b = {3, 2}, .d = {2, 2}, .in = CUDA_R_16F, .out = CUDA_R_16BF};
  EXPECT_EQ(multiply(call, data, data, data), CUBLAS_STATUS_NOT_SUPPORTED);
  call = {.a = {2, 3}, .b = {3, 2}, .d = {2, 2}};
  call.compute = CUBLAS_COMPUTE_16F;
  EXPECT_EQ(multiply(call, data, data, data), CUBLAS_STATUS_NOT_SUPPORTED);
  call = {.a = {2, 3}, .b = {3, 2}, .d = {2, 2}};
  call.epilogue = CUBLASLT_EPILOGUE_GELU_AUX, call.aux = static_cast<float *>(data), call.auxLd = 2;
  EXPECT_EQ(multiply(call, data, data, data), CUBLAS_STATUS_NOT_SUPPORTED) << "the kept input's rows are not 8 apart";
}

} // namespace
