#include "passes/import/read_weights.h"

#include "compiler/sharding/reshard.h"

namespace autotp {
namespace {

constexpr int64_t kMostElements = int64_t(1) << 22; ///< of a piece, 16 MiB

/// Reads runs that are neighbours in the file: the last dimension's intervals, and all of it where it is whole.
class Reader {
public:
  Reader(const StoredWeights &stored, const StoredWeights::Tensor &tensor, llvm::MutableArrayRef<float> to)
      : stored_(stored), tensor_(tensor), strides_(stridesOf(tensor.shape)), to_(to) {}

  llvm::Error read(const Covers &covers) { return to_.empty() ? llvm::Error::success() : readFrom(covers, 0, 0); }

private:
  bool isWholeFrom(const Covers &covers, size_t d) const {
    for (; d < covers.size(); ++d)
      if (covers[d].size() != 1 || covers[d][0].begin != 0 || covers[d][0].end != tensor_.shape[d]) return false;
    return true;
  }

  /// Dimensions before `d` are fixed: they lead to element `base`.
  llvm::Error readFrom(const Covers &covers, size_t d, int64_t base) {
    if (d == covers.size()) return take(base, 1);
    for (const Interval &interval : covers[d]) {
      if (isWholeFrom(covers, d + 1)) {
        if (llvm::Error error =
                take(base + interval.begin * strides_[d], (interval.end - interval.begin) * strides_[d]))
          return error;
        continue;
      }
      for (int64_t at = interval.begin; at < interval.end; ++at)
        if (llvm::Error error = readFrom(covers, d + 1, base + at * strides_[d])) return error;
    }
    return llvm::Error::success();
  }

  llvm::Error take(int64_t begin, int64_t count) {
    const llvm::MutableArrayRef<float> part = to_.take_front(size_t(count));
    to_ = to_.drop_front(size_t(count));
    return stored_.read(tensor_, begin, part);
  }

  const StoredWeights &stored_;
  const StoredWeights::Tensor &tensor_;
  const Shape strides_;
  llvm::MutableArrayRef<float> to_; ///< what is not read yet
};

/// Reads stripes of the file's rows, which are columns of the graph's matrix.
llvm::Error readTransposed(const StoredWeights &stored, const StoredWeights::Tensor &tensor, const Covers &covers,
                           llvm::MutableArrayRef<float> to) {
  constexpr int64_t kStripe = 64;
  const int64_t rows = shapeOf(covers)[0], columns = shapeOf(covers)[1];
  std::vector<float> stripe;
  int64_t first = 0; // column of the result
  for (const Interval &interval : covers[1])
    for (int64_t at = interval.begin; at < interval.end; at += kStripe) {
      const int64_t count = std::min(kStripe, interval.end - at);
      stripe.resize(size_t(count * rows));
      if (llvm::Error error = Reader(stored, tensor, stripe).read({Cover{{at, at + count}}, covers[0]})) return error;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < count; ++c)
          to[size_t(r * columns + first + c)] = stripe[size_t(c * rows + r)];
      first += count;
    }
  return llvm::Error::success();
}

} // namespace

llvm::Expected<Tensor> readPart(const StoredWeights &stored, const WeightMatch &match, const Covers &covers) {
  const Type type{DType::F32, shapeOf(covers)};
  std::vector<uint8_t> bytes(type.bytes());
  const llvm::MutableArrayRef<float> to(reinterpret_cast<float *>(bytes.data()), size_t(type.elements()));
  if (llvm::Error error = match.isTransposed ? readTransposed(stored, *match.tensor, covers, to)
                                             : Reader(stored, *match.tensor, to).read(covers))
    return error;
  return ownedTensor(type, std::move(bytes));
}

llvm::Expected<bool> areEqual(const StoredWeights &stored, const WeightMatch &a, const WeightMatch &b,
                              llvm::ArrayRef<int64_t> shape) {
  for (const Covers &piece : piecesOf(wholeCovers(shape), kMostElements)) {
    llvm::Expected<Tensor> one = readPart(stored, a, piece), other = readPart(stored, b, piece);
    if (!one || !other) return llvm::joinErrors(one.takeError(), other.takeError());
    if (one->bytes != other->bytes) return false;
  }
  return true;
}

} // namespace autotp
