// Reads what a rank holds of a parameter from the tensor that fills it, turned as the graph has it.
#include "runtime/checkpoint/checkpoint_reader.h"
#include "runtime/checkpoint/stored_checkpoint.h"

#include <algorithm>

namespace autotp {
namespace {

/// Reads runs that are neighbours in the file: the last dimension's intervals, and all of it where it is whole.
class Reader {
public:
  Reader(const StoredWeights &stored, const StoredWeights::Tensor &tensor, llvm::MutableArrayRef<float> to)
      : stored_(stored), tensor_(tensor), strides_(tensor.shape.size(), 1), to_(to) {
    for (size_t d = strides_.size(); d-- > 1;)
      strides_[d - 1] = strides_[d] * tensor.shape[d];
  }

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
  std::vector<int64_t> strides_;
  llvm::MutableArrayRef<float> to_; ///< what is not read yet
};

/// What a rank that held this much of a checkpoint's tensor would be told of it.
plan::Parameter heldOf(const Checkpoint::Tensor &tensor, const Covers &covers) {
  plan::Parameter held;
  held.set_name(tensor.parameter);
  for (size_t d = 0; d < tensor.shape.size(); ++d) {
    held.add_global_shape(tensor.shape[d]);
    plan::Cover &cover = *held.add_covers();
    for (const Interval &interval : covers[d]) {
      cover.add_begins(interval.begin);
      cover.add_ends(interval.end);
    }
  }
  return held;
}

/// Rows [first, end) of those that covers select.
Covers rowsOf(const Covers &covers, int64_t first, int64_t end) {
  Covers rows = covers;
  rows[0].clear();
  int64_t at = 0; // rows that lie before the interval
  for (const Interval &interval : covers[0]) {
    const int64_t from = interval.begin + std::max<int64_t>(0, first - at),
                  to = std::min(interval.end, interval.begin + end - at);
    if (from < to) rows[0].push_back({from, to});
    at += interval.end - interval.begin;
  }
  return rows;
}

} // namespace

/// `covers` are those of the tensor as it is stored.
llvm::Error StoredWeights::readCovers(const Tensor &tensor, const Covers &covers,
                                      llvm::MutableArrayRef<float> to) const {
  if (!checkpoint_) return Reader(*this, tensor, to).read(covers);
  bytesRead_ += to.size() * sizeof(float);
  const Checkpoint::Tensor &source = *checkpoint_->sources.find(tensor.name)->second.tensor;
  return checkpoint_->reader->read(heldOf(source, covers), kWeights, 0, {to.data(), to.size()});
}

llvm::Error StoredWeights::readPart(const Tensor &tensor, bool isTransposed, const Covers &covers,
                                    llvm::MutableArrayRef<float> to) const {
  constexpr int64_t kStripe = 64;
  if (checkpoint_) isTransposed ^= checkpoint_->sources.find(tensor.name)->second.isTransposed;
  if (!isTransposed) return readCovers(tensor, covers, to);
  // Stripes of the file's rows are columns of the graph's matrix.
  const int64_t rows = lengthOf(covers[0]), columns = lengthOf(covers[1]);
  std::vector<float> stripe;
  int64_t first = 0; // column of the result
  for (const Interval &interval : covers[1])
    for (int64_t at = interval.begin; at < interval.end; at += kStripe) {
      const int64_t count = std::min(kStripe, interval.end - at);
      stripe.resize(size_t(count * rows));
      if (llvm::Error error = readCovers(tensor, {Cover{{at, at + count}}, covers[0]}, stripe)) return error;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < count; ++c)
          to[size_t(r * columns + first + c)] = stripe[size_t(c * rows + r)];
      first += count;
    }
  return llvm::Error::success();
}

llvm::Error StoredWeights::readHeld(const Tensor &tensor, bool isTransposed, const Covers &covers, int64_t begin,
                                    llvm::MutableArrayRef<float> to) const {
  if (covers.empty() || to.empty()) return to.empty() ? llvm::Error::success() : readPart(tensor, false, covers, to);
  int64_t ofRow = 1;
  for (const Cover &cover : llvm::ArrayRef<Cover>(covers).drop_front())
    ofRow *= lengthOf(cover);
  const int64_t end = begin + int64_t(to.size());
  const int64_t firstRow = begin / ofRow, endRow = (end + ofRow - 1) / ofRow;
  const Covers rows = rowsOf(covers, firstRow, endRow);
  if (begin == firstRow * ofRow && end == endRow * ofRow) return readPart(tensor, isTransposed, rows, to);
  std::vector<float> whole(size_t((endRow - firstRow) * ofRow));
  if (llvm::Error error = readPart(tensor, isTransposed, rows, whole)) return error;
  std::copy_n(whole.begin() + (begin - firstRow * ofRow), to.size(), to.begin());
  return llvm::Error::success();
}

} // namespace autotp
