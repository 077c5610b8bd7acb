#include "runtime/data/sample_order.h"

#include "runtime/base/error.h"
#include "runtime/base/philox.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace autotp {

/// Streams of Philox that no other numbers of a run are drawn from: token_source.cpp has those below 2^56.
static uint64_t streamOf(uint64_t dataSet, uint64_t epoch) {
  return uint64_t(2) << 56 | (dataSet & 0xffff) << 40 | (epoch & 0xffffffff) << 8;
}

Permutation::Permutation(uint64_t seed, uint64_t dataSet, uint64_t epoch, uint64_t size)
    : seed_(seed), stream_(streamOf(dataSet, epoch)), size_(size),
      halfBits_(std::max(1, (int(std::bit_width(size > 1 ? size - 1 : 1)) + 1) / 2)) {}

uint64_t Permutation::network(uint64_t value) const {
  constexpr uint64_t kRounds = 6;
  const uint64_t mask = (uint64_t(1) << halfBits_) - 1;
  uint64_t left = value >> halfBits_, right = value & mask;
  for (uint64_t round = 0; round < kRounds; ++round) {
    const PhiloxWords words = philox(seed_, right, stream_ | round);
    const uint64_t mixed = left ^ ((uint64_t(words[1]) << 32 | words[0]) & mask);
    left = right;
    right = mixed;
  }
  return left << halfBits_ | right;
}

/// The network permutes a domain of less than four times the size, so that few steps lead back inside.
uint64_t Permutation::operator()(uint64_t index) const {
  do
    index = network(index);
  while (index >= size_);
  return index;
}

/// Rounds shares to whole rows of a period, the largest remainders up.
static std::vector<int64_t> rowsOfPeriod(llvm::ArrayRef<double> weights, int64_t period) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<int64_t> rows;
  std::vector<std::pair<double, size_t>> remainders;
  int64_t left = period;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double exact = weights[i] / sum * double(period);
    // A share such as 0.3 is meant, and not the nearest binary fraction below it.
    rows.push_back(int64_t(std::floor(exact + 1e-6)));
    remainders.emplace_back(double(rows.back()) - exact, i);
    left -= rows.back();
  }
  std::stable_sort(remainders.begin(), remainders.end());
  for (size_t i = 0; left > 0; ++i, --left)
    ++rows[remainders[i].second];
  int64_t common = 0;
  for (int64_t count : rows)
    common = std::gcd(common, count);
  for (int64_t &count : rows)
    count /= common;
  return rows;
}

llvm::Expected<Interleaving> Interleaving::create(llvm::ArrayRef<double> weights) {
  constexpr int64_t kLongest = 1'000'000;
  Interleaving made;
  made.rows_ = rowsOfPeriod(weights, kLongest);
  if (llvm::is_contained(made.rows_, 0))
    return problem("--data", "a weight is less than a millionth of all", "leave that file out, or give it more");
  const int64_t period = std::accumulate(made.rows_.begin(), made.rows_.end(), int64_t(0));
  std::vector<int64_t> given(weights.size());
  for (int64_t row = 0; row < period; ++row) {
    size_t next = 0;
    int64_t largest = INT64_MIN;
    for (size_t set = 0; set < given.size(); ++set) {
      const int64_t deficit = (row + 1) * made.rows_[set] - period * given[set];
      if (deficit > largest) largest = deficit, next = set;
    }
    made.dataSet_.push_back(uint32_t(next));
    made.index_.push_back(uint32_t(given[next]++));
  }
  return made;
}

Interleaving::Place Interleaving::placeOf(int64_t row) const {
  const int64_t period = int64_t(dataSet_.size());
  const size_t inPeriod = size_t(row % period), set = dataSet_[inPeriod];
  return {set, row / period * rows_[set] + index_[inPeriod]};
}

int64_t Interleaving::rowsBefore(int64_t row, size_t dataSet) const {
  const int64_t period = int64_t(dataSet_.size());
  const auto begin = dataSet_.begin();
  return row / period * rows_[dataSet] + std::count(begin, begin + row % period, uint32_t(dataSet));
}

} // namespace autotp
