/// \file One kernel call against numbers that the test computes itself, on the device that the suite is linked with.
#pragma once

#include "runtime/device/device.h"

#include <functional>

namespace autotp::test {

using Shape = std::vector<int64_t>;

/// A tensor whose elements are held as doubles, whatever its dtype.
struct Value {
  DType dtype = DType::F32;
  Shape shape;
  std::vector<double> v;
};

struct Case {
  KernelId kernel;
  std::vector<Value> operands, results; ///< results: shapes, dtypes and what is expected
  KernelAttributes attributes = {};
  double tolerance = 1e-5;       ///< of |got - wanted| / (1 + |wanted|)
  std::vector<int> inPlace = {}; ///< for each result the operand whose address it has; -1 or absent: none
  int dpRank = 0;
};

int64_t elementsOf(const Shape &shape);
/// Numbers in [low, high), the same for the same seed.
Value randomValue(Shape shape, int seed, double low = -2, double high = 2, DType dtype = DType::F32);
/// A tolerance for one result, computed in f32 or better and rounded once; small floats have one unit of the last
/// place.
double roundingOf(DType dtype);
Value filled(Shape shape, double value, DType dtype = DType::F32);
Value integers(Shape shape, std::vector<double> values, DType dtype = DType::I64);
KernelAttributes attributes(std::vector<std::pair<std::string, KernelAttributes::Value>> values);

/// What the kernel gives with `threads`; `status` receives how it ended. Runs twice and expects the same bits. With 2
/// threads tensors are aligned to their elements alone.
llvm::Expected<std::vector<Value>> runCase(const Case &c, int threads, Status &status);
/// Runs with 1 and 2 threads and compares each result with what is expected.
void expectCase(const Case &c, const std::string &what = "");
void expectStatus(const Case &c, Status wanted);
/// prepare() refuses it, with a text that holds `part`. `workspaceBytes` -1: as much as is planned.
void expectRefused(const Case &c, const std::string &part, int64_t workspaceBytes = -1);

} // namespace autotp::test
