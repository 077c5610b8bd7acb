/// \file Which sample a row is. All of it is a function of the row's number alone, so that neither tp nor dp changes it, and a
/// run that goes on from a checkpoint sees what it would have seen.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <vector>

namespace autotp {

enum class DataOrder : uint8_t { Shuffled, Sequential };

struct DataOrderRow {
  DataOrder kind;
  llvm::StringLiteral name, help;
};
constexpr DataOrderRow kDataOrders[] = {
    {DataOrder::Shuffled, "shuffled", "every sample once an epoch, in a new random order each time, by --seed"},
    {DataOrder::Sequential, "sequential", "as they lie in the files, the same in each epoch"}};

/// A random permutation of 0 to size - 1, computed place by place and stored nowhere: a Feistel network over the next even
/// number of bits, walked on while it leads outside (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
class Permutation {
public:
  /// Other epochs and other data sets have other permutations.
  Permutation(uint64_t seed, uint64_t dataSet, uint64_t epoch, uint64_t size);
  uint64_t operator()(uint64_t index) const;

private:
  uint64_t network(uint64_t value) const;

  uint64_t seed_, stream_, size_;
  int halfBits_ = 0;
};

/// Deals rows out to data sets by their weights. Rows come in periods of at most a million, in which each data set has its
/// share, rounded. A row goes to the data set that has had least in proportion so far in its period (the largest deficit).
class Interleaving {
public:
  struct Place {
    size_t dataSet;
    int64_t index; ///< of the row among those of its data set
  };

  /// Errors: a share is too small to get a row in a million.
  static llvm::Expected<Interleaving> create(llvm::ArrayRef<double> weights);
  Place placeOf(int64_t row) const;
  /// How many of the rows before `row` are of a data set.
  int64_t rowsBefore(int64_t row, size_t dataSet) const;

private:
  std::vector<int64_t> rows_;     ///< of each data set in a period
  std::vector<uint32_t> dataSet_; ///< of each row of a period
  std::vector<uint32_t> index_;   ///< and its number among those of its data set
};

} // namespace autotp
