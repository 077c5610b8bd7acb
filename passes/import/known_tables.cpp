#include "passes/import/known_tables.h"

#include <cmath>

namespace autotp {
namespace {

constexpr double kLowest = -1e4;    ///< lower numbers are masks, not weights
constexpr double kTolerance = 1e-2; ///< relative, for sums of squares of numbers of any float type

/// Whether all pairs of numbers are the sine and cosine of an angle times one common factor, and not all angles are
/// equal.
template <typename Pair> bool areOnOneCircle(size_t count, Pair pair) {
  if (count == 0) return false;
  const auto [x, y] = pair(0);
  const double radius = x * x + y * y;
  bool differ = false;
  for (size_t i = 0; i < count; ++i) {
    const auto [a, b] = pair(i);
    if (!(std::fabs(a * a + b * b - radius) <= kTolerance * radius)) return false;
    differ |= std::fabs(a - x) > kTolerance;
  }
  return radius > 0 && differ;
}

} // namespace

bool isAdditiveMask(const Tensor &tensor) {
  bool hasZero = false, isLow = false;
  for (double x : toArray(tensor).data) {
    if (std::isinf(x) || std::isnan(x)) return true;
    hasZero |= x == 0;
    isLow |= x <= kLowest;
    if (x != 0 && x > kLowest) return false;
  }
  return hasZero && isLow;
}

bool isBinary(const Tensor &tensor) {
  bool hasZero = false, hasOne = false;
  for (double x : toArray(tensor).data) {
    if (x != 0 && x != 1) return false;
    (x == 0 ? hasZero : hasOne) = true;
  }
  return hasZero && hasOne;
}

bool isOneNumber(const Tensor &tensor) {
  const Array array = toArray(tensor);
  return llvm::all_of(array.data, [&](double x) { return x == array.data[0]; });
}

bool isSloped(const Tensor &tensor) {
  if (tensor.type.shape.empty() || tensor.type.shape.back() < 3) return false;
  const Array array = toArray(tensor);
  const size_t width = size_t(tensor.type.shape.back());
  for (size_t i = 0; i < array.data.size(); ++i) {
    if (i % width < 2) continue;
    const double step = array.data[i - 1] - array.data[i - 2];
    if (!(std::fabs(array.data[i] - array.data[i - 1] - step) <= kTolerance * std::fabs(step))) return false;
  }
  return !array.data.empty();
}

bool isSinusoidal(const Tensor &tensor) {
  if (tensor.type.shape.empty() || tensor.type.shape.back() % 2) return false;
  const Array array = toArray(tensor);
  const size_t half = size_t(tensor.type.shape.back()) / 2;
  auto inTurns = [&](size_t i) { return std::pair(array.data[2 * i], array.data[2 * i + 1]); };
  auto inHalves = [&](size_t i) {
    const size_t at = i / half * 2 * half + i % half;
    return std::pair(array.data[at], array.data[at + half]);
  };
  const size_t count = array.data.size() / 2;
  return half > 0 && (areOnOneCircle(count, inTurns) || areOnOneCircle(count, inHalves));
}

bool areRotations(const Tensor &a, const Tensor &b) {
  if (!(a.type == b.type)) return false;
  const Array one = toArray(a), other = toArray(b);
  return areOnOneCircle(one.data.size(), [&](size_t i) { return std::pair(one.data[i], other.data[i]); });
}

} // namespace autotp
