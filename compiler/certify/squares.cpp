#include "compiler/certify/squares.h"

#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include <map>

namespace autotp {
namespace {

/// Boxes of each gradient, by which of several equal gradients on a coordinate it is.
using Boxes = std::map<std::pair<RootId, int>, std::vector<Lists>>;

class Counting {
public:
  Counting(Proof &proof, bool overDp, std::string &why) : proof_(proof), overDp_(overDp), why_(why) {}

  bool member(const Content &content) {
    seen_.clear();
    llvm::SmallVector<const Content *, 8> open = {&content};
    while (!open.empty()) {
      const Content &next = *open.pop_back_val();
      if (!next.addends[0] && !image(next)) return false;
      if (!next.addends[0]) continue;
      open.push_back(next.addends[1]);
      open.push_back(next.addends[0]);
    }
    return true;
  }

  bool finish() {
    std::map<RootId, int> wanted;
    for (const auto &row : proof_.parameters) {
      const GlobalOperand &gradient = row.second.gradient;
      if (gradient.kind == GlobalOperand::Kind::Value) ++wanted[proof_.values.view(gradient.view).root];
    }
    size_t known = 0;
    for (const auto &[root, times] : wanted)
      for (int i = 0; i < times; ++i) {
        auto boxes = boxes_.find({root, i});
        known += boxes != boxes_.end();
        Lists whole;
        for (int64_t size : proof_.values.root(root).type.shape)
          whole.push_back(proof_.lists.whole(size));
        if (boxes != boxes_.end() && proof_.contributions.boxesTile(boxes->second, whole, Pending::Sum, why_)) continue;
        why_ = "of '" + escaped(proof_.values.root(root).name) + "', " +
               (boxes == boxes_.end() ? "nothing is counted in the norm" : "in the norm, " + why_);
        return false;
      }
    if (known == boxes_.size()) return true;
    why_ = "a gradient is counted more than once in the norm";
    return false;
  }

private:
  bool image(const Content &squares) {
    if (proof_.options.dp > 1 && squares.isSliced != overDp_) {
      why_ = squares.isSliced ? "slices are not added over dp" : "what every dp rank has is added over dp";
      return false;
    }
    int64_t at = 0;
    for (const Piece &piece : squares.image) {
      const int64_t size = int64_t(sizeOf(piece.content->dtype)), end = at + int64_t(piece.bytes) / size;
      llvm::SmallVector<Interval, 2> own;
      for (auto next = llvm::partition_point(squares.counted, [&](const Interval &i) { return i.end <= at; });
           next != squares.counted.end() && next->begin < end; ++next)
        own.push_back({std::max(next->begin, at) - at, std::min(next->end, end) - at});
      if (!own.empty() && !this->piece(piece, own, end - at)) return false;
      at = end;
    }
    return true;
  }

  bool piece(const Piece &piece, llvm::ArrayRef<Interval> own, int64_t elements) {
    const Content &content = *piece.content;
    if (content.isZero()) return true;
    if (content.kind != Content::Kind::Value || content.pending != Pending::None || piece.bytes != content.bytes ||
        (proof_.options.dp > 1 && !content.isSummedOverDp) ||
        (proof_.options.gradAccum > 1 && !content.isAccumulated)) {
      why_ = "the norm counts " + describe(content, proof_.values, proof_.lists);
      return false;
    }
    Lists box = content.lists;
    if (proof_.lists.of(own) != proof_.lists.whole(elements)) {
      auto positions = proof_.lists.refold(elements, proof_.lists.of(own), proof_.lists.lengths(content.lists), {});
      if (!positions) {
        why_ =
            "which elements of " + describe(content, proof_.values, proof_.lists) + " the norm counts does not follow";
        return false;
      }
      for (auto [d, list] : indexed(box))
        list = proof_.lists.select(list, (*positions)[d]);
    }
    boxes_[{content.root, seen_[content.root]++}].push_back(box);
    return true;
  }

  Proof &proof_;
  bool overDp_;
  std::string &why_;
  Boxes boxes_;
  std::map<RootId, int> seen_;
};

} // namespace

bool countEachOnce(Proof &proof, llvm::ArrayRef<const Content *> members, bool overDp, std::string &why) {
  Counting counting(proof, overDp, why);
  for (const Content *content : members) {
    if (content->kind != Content::Kind::Squares || content->isComplete) {
      why = "what is added to the norm is " + describe(*content, proof.values, proof.lists);
      return false;
    }
    if (!counting.member(*content)) return false;
  }
  return counting.finish();
}

} // namespace autotp
