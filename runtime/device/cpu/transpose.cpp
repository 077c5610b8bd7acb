/// \file Transposition: rows are copied where the innermost dimension stays, else square blocks are turned in cache.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"

#include <algorithm>

namespace autotp::cpu {

namespace {

constexpr int64_t kBlock = 16; ///< a block's rows and columns, both of whole cache lines for 4-byte words

struct Dimension {
  int64_t size, from; ///< from: the stride in the operand
};

/// The result's dimensions from the outermost, ones dropped and neighbours that move together merged.
std::vector<Dimension> mergedDimensions(const ArgShape &shape, const std::vector<int64_t> &perm) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i];
  std::vector<Dimension> merged;
  for (int64_t axis : perm) {
    if (shape[axis] == 1) continue;
    if (!merged.empty() && merged.back().from == strides[axis] * shape[axis])
      merged.back() = {merged.back().size * shape[axis], strides[axis]};
    else
      merged.push_back({shape[axis], strides[axis]});
  }
  if (merged.empty()) merged.push_back({1, 1});
  return merged;
}

/// Offsets in the operand of every combination of `dimensions`, in the result's order.
std::vector<int64_t> offsetsOf(const std::vector<Dimension> &dimensions) {
  std::vector<int64_t> offsets{0};
  for (const Dimension &dimension : dimensions) {
    std::vector<int64_t> longer;
    for (int64_t offset : offsets)
      for (int64_t i = 0; i < dimension.size; ++i)
        longer.push_back(offset + i * dimension.from);
    offsets = std::move(longer);
  }
  return offsets;
}

template <typename Word> Prepared copyRows(const Call &call, std::vector<Dimension> dimensions) {
  const int64_t inner = dimensions.back().size;
  dimensions.pop_back();
  return ready([inner, offsets = offsetsOf(dimensions), x = call.args.operands[0].as<Word>(),
                y = call.args.results[0].as<Word>(), threads = call.threads] {
    parallelFor(threads, static_cast<int64_t>(offsets.size()), inner, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row)
        std::copy_n(x + offsets[row], inner, y + row * inner);
    });
    return Status::Ok;
  });
}

/// The operand's innermost dimension is the result's dimension `turned`; the last of the result is strided in the
/// operand.
template <typename Word>
Prepared turnBlocks(const Call &call, const std::vector<Dimension> &dimensions, size_t turned) {
  const auto at = dimensions.begin() + ptrdiff_t(turned);
  std::vector<Dimension> before(dimensions.begin(), at), between(at + 1, dimensions.end() - 1);
  const int64_t rows = dimensions[turned].size, columns = dimensions.back().size, stride = dimensions.back().from;
  const int64_t rowBlocks = (rows + kBlock - 1) / kBlock;
  return ready([=, beforeAt = offsetsOf(before), betweenAt = offsetsOf(between), x = call.args.operands[0].as<Word>(),
                y = call.args.results[0].as<Word>(), threads = call.threads] {
    const int64_t outer = int64_t(beforeAt.size()), middle = int64_t(betweenAt.size()), rowPitch = middle * columns;
    parallelFor(threads, outer * middle * rowBlocks, kBlock * columns, [&](int64_t begin, int64_t end, int) {
      for (int64_t item = begin; item < end; ++item) {
        const int64_t r0 = item % rowBlocks * kBlock, m = item / rowBlocks % middle, o = item / rowBlocks / middle;
        const int64_t r1 = std::min(rows, r0 + kBlock);
        const Word *from = x + beforeAt[o] + betweenAt[m];
        Word *to = y + o * rows * rowPitch + m * columns;
        for (int64_t c0 = 0; c0 < columns; c0 += kBlock)
          for (int64_t r = r0, c1 = std::min(columns, c0 + kBlock); r < r1; ++r)
            for (int64_t c = c0; c < c1; ++c)
              to[r * rowPitch + c] = from[c * stride + r];
      }
    });
    return Status::Ok;
  });
}

template <typename Word> Prepared transposeOf(const Call &call, const std::vector<int64_t> &perm) {
  if (call.args.results[0].elements() == 0) return ready([] { return Status::Ok; });
  std::vector<Dimension> dimensions = mergedDimensions(call.args.operands[0].shape, perm);
  if (dimensions.back().from == 1) return copyRows<Word>(call, std::move(dimensions));
  size_t turned = 0;
  while (dimensions[turned].from != 1)
    ++turned;
  return turnBlocks<Word>(call, dimensions, turned);
}

Prepared prepareTranspose(const Call &call) {
  const std::vector<int64_t> perm = call.args.attributes.integers("perm");
  return withWord(call.args.results[0].dtype, [&](auto word) { return transposeOf<decltype(word)>(call, perm); });
}

constexpr KernelRow kRows[] = {{KernelId::Transpose, prepareTranspose}};

} // namespace

std::span<const KernelRow> transposeKernels() { return kRows; }

} // namespace autotp::cpu
