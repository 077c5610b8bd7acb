/// \file ONNX's sequences: lists of values, whose lengths are known when compiling. Their elements are values of the
/// graph; the lists are not.
#pragma once

#include "compiler/ir/graph.h"

#include <deque>

namespace autotp {

/// Sequences have ids that no value of a graph has, so that both can stand behind a name.
constexpr ValueId kFirstSequence = 1u << 31;
inline bool isSequence(ValueId id) { return id >= kFirstSequence && id != kNone; }

class Sequences {
public:
  using Elements = llvm::SmallVector<ValueId, 4>;

  ValueId add(Elements elements) {
    lists_.push_back(std::move(elements));
    return kFirstSequence + ValueId(lists_.size()) - 1;
  }
  /// Valid as long as this object.
  llvm::ArrayRef<ValueId> operator[](ValueId id) const { return lists_[id - kFirstSequence]; }

private:
  std::deque<Elements> lists_;
};

} // namespace autotp
