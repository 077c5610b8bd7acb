/// \file What bytes of a rank's arena hold, in terms of the global graph.
#pragma once

#include "compiler/certify/values/global_values.h"

namespace autotp {

using PathId = uint32_t; ///< through which operators a pending part has come, see Contributions

/// A box of summands that a pending sum has here: of these elements those points of the dimensions that were summed,
/// those of the first operator first. Spans: all indices to which the path applies; of an element's dimension
/// kWholeSpan where that is not a segment of it.
struct Part {
  PathId path;
  Lists elements, points;
  Lists elementSpans, pointSpans;
};

enum class Pending : uint8_t { None, Sum, Max };

struct Content;

/// Some bytes of a content.
struct Piece {
  const Content *content;
  uint64_t offset, bytes;
};

/// Adds a piece at the end: where it follows on the last one, that one grows.
void append(std::vector<Piece> &pieces, const Piece &next);

/// Contents never change. Which fields count depends on the kind.
struct Content {
  enum class Kind : uint8_t {
    Value,    ///< the elements `lists` of a global value, row-major
    Constant, ///< literal bytes, or one number throughout
    Sums,     ///< what earlier micro-steps of this step have accumulated; 0 before the first
    State,    ///< optimizer states, as the step before left them
    NewState, ///< after the update
    Sliced,   ///< the dp_rank-th of equal parts of `image`, which is what the dp ranks have together
    Squares,  ///< a sum of squares of gradients
    Divisor,  ///< the count of the whole batch, times the loss scale
    Scale,
    Norm,        ///< of grad_scale
    Loss,        ///< the mean loss of the step
    StepNumber,  ///< as the runtime counts
    LossScale,   ///< of the next step; this step's is a value of the graph
    StepCounts,  ///< good steps since the loss scale moved, and skipped ones
    ScaleOrSkip, ///< the scale of gradients, or NaN in a step that is skipped
    IsSkipped,
    Scalar, ///< a value of the schedule of updates
  } kind = Kind::Value;
  DType dtype = DType::F32;
  uint64_t bytes = 0;

  // Value
  RootId root = 0;
  Lists lists;
  Pending pending = Pending::None; ///< else `parts` says what of each element is here
  std::vector<Part> parts;
  bool isAccumulated = false; ///< summed over the micro-steps of a step
  bool isSummedOverDp = false;
  bool isUpdated = false; ///< a parameter, or a scalar that a skipped step keeps, after its update

  // Constant
  Lists claimed;             ///< which part of one of the graph's it says it is: proven before it is believed
  llvm::ArrayRef<char> data; ///< empty: `fill` throughout
  double fill = 0;           ///< of data, 0 where all of it is 0, else not known

  // Scalar
  ValueId scalar = kNone;

  // Sliced
  std::vector<Piece> image;

  // Squares: of these elements of parameters' gradients, or the sum of two others
  std::vector<std::pair<RootId, Lists>> counted; ///< by the parameter
  bool isSliced = false;                         ///< of these only the dp_rank-th part
  const Content *addends[2] = {nullptr, nullptr};
  bool isComplete = false; ///< summed over all ranks that count something

  bool isZero() const { return kind == Kind::Constant && fill == 0; }
  bool isMicroValue() const { return kind == Kind::Value && !isAccumulated && !isSummedOverDp && !isUpdated; }
};

/// Owns contents.
class ContentStore {
public:
  const Content *add(Content content) { return &contents_.emplace_back(std::move(content)); }

  /// The same bytes may be parts of several values, where their constants are equal there.
  void addAlternative(const Content *content, const Content *other) { alternatives_[content].push_back(other); }
  llvm::ArrayRef<const Content *> alternatives(const Content *content) const {
    auto at = alternatives_.find(content);
    return at == alternatives_.end() ? llvm::ArrayRef<const Content *>() : llvm::ArrayRef<const Content *>(at->second);
  }

private:
  std::deque<Content> contents_;
  llvm::DenseMap<const Content *, llvm::SmallVector<const Content *, 2>> alternatives_; // looked up only
};

/// "%h [0-16, 0-32]", "sums of earlier micro-steps", ...
std::string describe(const Content &content, const GlobalValues &values, const IndexLists &lists);

} // namespace autotp
