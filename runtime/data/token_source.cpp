#include "runtime/data/token_source.h"

#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/base/normal_numbers.h"
#include "runtime/base/philox.h"
#include "runtime/data/store_element.h"

#include <algorithm>
#include <vector>

namespace autotp {

/// The Philox streams of this file; sample_order.cpp has those from 2^57 on.
enum : uint64_t { kTokenStream = 1, kDataStream = 3 };

bool readsTokens(const Manifest::Input &input) {
  return input.role == "tokens" || input.role == "labels" || input.role == "next-labels";
}

TokenSource::TokenSource(const Manifest &manifest, uint64_t seed) : inputs_(manifest.inputs), seed_(seed) {
  for (const Manifest::Input &input : inputs_)
    if (input.role == "tokens") vocabulary_ = input.limit;
}

llvm::Error TokenSource::fill(int64_t row, size_t index, std::span<std::byte> to) const {
  const Manifest::Input &input = inputs_[index];
  if (!input.isBatched) row = 0; // the same in all steps
  DType dtype = dtypeNamed(input.dtype).value_or(DType::I64);
  const int64_t elements = int64_t(to.size() / sizeOf(dtype));
  if (isFloat(dtype)) {
    std::vector<float> values(size_t(elements), 1.0f);
    if (input.role != "ones") drawNormals(values, seed_, kDataStream + index, uint64_t(row * elements), 0, 1);
    for (auto [i, value] : indexed(values))
      storeElement(dtype, value, to.data() + i * sizeOf(dtype));
    return llvm::Error::success();
  }
  const Row place{row, elements, readsTokens(input) ? windowOf(row) : Window()};
  for (int64_t i = 0; i < elements; ++i) {
    int64_t value = integer(input, place, i);
    bool isOut = input.limit > 0 && value >= input.limit && !input.ignores(double(value));
    if (isOut)
      return problem(
          "input '" + escaped(input.name) + "'",
          llvm::formatv("token {0} at row {1}, position {2} lies outside the model's {3}", value, row, i, input.limit)
              .str(),
          "train a model with a larger vocabulary, or give other data");
    storeElement(dtype, value, to.data() + i * int64_t(sizeOf(dtype)));
  }
  return llvm::Error::success();
}

int64_t TokenSource::token(const Row &row, int64_t position) const {
  if (row.window.file) return row.window.file->at(row.window.start + position);
  return int64_t(philox(seed_, uint64_t(row.number * (row.elements + 1) + position), kTokenStream)[0] %
                 uint64_t(std::max<int64_t>(vocabulary_, 1)));
}

int64_t TokenSource::integer(const Manifest::Input &input, const Row &row, int64_t i) const {
  if (input.role == "tokens" || input.role == "labels") return token(row, i);
  if (input.role == "next-labels") return token(row, i + 1);
  if (input.role == "ones") return 1;
  if (input.role == "positions") return input.shape.empty() ? 0 : i % std::max<int64_t>(input.shape.back(), 1);
  return int64_t(philox(seed_, uint64_t(row.number * row.elements + i), kDataStream)[0] %
                 uint64_t(std::max<int64_t>(input.limit, 1)));
}

} // namespace autotp
