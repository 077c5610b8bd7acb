/// \file Transposition: rows are copied where the innermost dimension stays, else square tiles are turned in shared
/// memory, so that both reads and writes are of whole lines.
#include "runtime/device/cuda/moved_rows.cuh"

#include <algorithm>

namespace autotp::cuda {

namespace {

constexpr int kTile = 32, kTileRows = 8; ///< a block's threads are kTile x kTileRows

/// The result's dimensions from the outermost, ones dropped and neighbours that move together merged.
std::vector<MovedDimension> mergedDimensions(const ArgShape &shape, const std::vector<int64_t> &perm) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i];
  std::vector<MovedDimension> merged;
  for (int64_t axis : perm) {
    const int64_t size = shape[size_t(axis)], stride = strides[size_t(axis)];
    if (size == 1) continue;
    if (!merged.empty() && merged.back().from == stride * size)
      merged.back() = {merged.back().size * size, stride};
    else
      merged.push_back({size, stride});
  }
  if (merged.empty()) merged.push_back({1, 1});
  return merged;
}

/// One plane is `rows` x `columns` of the result; in the operand, rows are 1 apart and columns `columnStride`.
struct Planes {
  int outer = 0; ///< the other dimensions of the result
  int64_t size[kMostOuter], from[kMostOuter], to[kMostOuter];
  int64_t rows, columns, columnStride, rowPitch;
  int64_t rowTiles, columnTiles;
};

template <typename Word> __global__ void turnKernel(const Word *x, Word *y, Planes p) {
  __shared__ Word tile[kTile][kTile + 1]; // one more, so that a column lies in as many banks
  int64_t at = blockIdx.x;
  int64_t rest = quotient(at, p.columnTiles);
  const int64_t column0 = (at - rest * p.columnTiles) * kTile;
  at = quotient(rest, p.rowTiles);
  const int64_t row0 = (rest - at * p.rowTiles) * kTile;
  for (int d = p.outer - 1; d >= 0; --d) {
    const int64_t next = quotient(at, p.size[d]), index = at - next * p.size[d];
    x += index * p.from[d];
    y += index * p.to[d];
    at = next;
  }
  for (int i = threadIdx.y; i < kTile; i += kTileRows)
    if (row0 + threadIdx.x < p.rows && column0 + i < p.columns)
      tile[i][threadIdx.x] = x[(column0 + i) * p.columnStride + row0 + threadIdx.x];
  __syncthreads();
  for (int i = threadIdx.y; i < kTile; i += kTileRows)
    if (row0 + i < p.rows && column0 + threadIdx.x < p.columns)
      y[(row0 + i) * p.rowPitch + column0 + threadIdx.x] = tile[threadIdx.x][i];
}

/// The operand's innermost dimension is the result's dimension `turned`; the last of the result is strided in the
/// operand.
template <typename Word>
Prepared turnTiles(const Call &call, const std::vector<MovedDimension> &dimensions, size_t turned) {
  if (dimensions.size() > size_t(kMostOuter) + 2) return mistake(call, "has more dimensions than this device can turn");
  Planes p{};
  p.rows = dimensions[turned].size;
  p.columns = dimensions.back().size;
  p.columnStride = dimensions.back().from;
  std::vector<int64_t> pitch(dimensions.size(), 1);
  for (size_t d = dimensions.size() - 1; d-- > 0;)
    pitch[d] = pitch[d + 1] * dimensions[d + 1].size;
  p.rowPitch = pitch[turned];
  p.rowTiles = (p.rows + kTile - 1) / kTile;
  p.columnTiles = (p.columns + kTile - 1) / kTile;
  int64_t blocks = p.rowTiles * p.columnTiles;
  for (size_t d = 0; d + 1 < dimensions.size(); ++d) {
    if (d == turned) continue;
    p.size[p.outer] = dimensions[d].size;
    p.from[p.outer] = dimensions[d].from;
    p.to[p.outer] = pitch[d];
    blocks *= dimensions[d].size;
    ++p.outer;
  }
  if (blocks > kMostBlocks) return mistake(call, "has more tiles than a grid has blocks");
  const LaunchShape shape{dim3(unsigned(blocks)), dim3(kTile, kTileRows)};
  return ready([p, shape, x = call.args.operands[0].as<Word>(), y = call.args.results[0].as<Word>(),
                stream = call.stream()] { return launch(turnKernel<Word>, shape, stream, x, y, p); });
}

template <typename Word> Prepared transposeOf(const Call &call, const std::vector<int64_t> &perm) {
  if (call.args.results[0].elements() == 0) return nothingToDo();
  std::vector<MovedDimension> dimensions = mergedDimensions(call.args.operands[0].shape, perm);
  if (dimensions.back().from == 1) {
    const int64_t inner = dimensions.back().size;
    dimensions.pop_back();
    return moveRows<Word>(call, call.args.operands[0].as<Word>(), dimensions, inner);
  }
  size_t turned = 0;
  while (dimensions[turned].from != 1)
    ++turned;
  return turnTiles<Word>(call, dimensions, turned);
}

Prepared prepareTranspose(const Call &call) {
  const std::vector<int64_t> perm = call.args.attributes.integers("perm");
  return withWord(call.args.results[0].dtype, [&](auto word) { return transposeOf<decltype(word)>(call, perm); });
}

constexpr KernelRow kRows[] = {{KernelId::Transpose, prepareTranspose}};

} // namespace

std::span<const KernelRow> transposeKernels() { return kRows; }

} // namespace autotp::cuda
