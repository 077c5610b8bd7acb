/// \file ONNX's sequences: lists of values, known when compiling. Their elements are values of the graph; they are not.
#pragma once

#include "compiler/ir/graph.h"

#include <deque>

namespace autotp {

/// Names a sequence where a value could stand: no graph has so many values.
constexpr ValueId kFirstSequence = 1u << 31;
inline bool isSequence(ValueId id) { return id >= kFirstSequence && id != kNone; }

class Sequences {
public:
  using Elements = llvm::SmallVector<ValueId, 4>;

  ValueId add(Elements elements) {
    lists_.push_back(std::move(elements));
    return kFirstSequence + ValueId(lists_.size()) - 1;
  }
  /// Valid as long as this.
  llvm::ArrayRef<ValueId> operator[](ValueId id) const { return lists_[id - kFirstSequence]; }

private:
  std::deque<Elements> lists_;
};

} // namespace autotp
