/// \file What bytes of a rank's arena hold, in terms of the global graph.
#pragma once

#include "compiler/certify/values/ids.h"
#include "compiler/ir/graph.h"

#include "llvm/ADT/DenseMap.h"

#include <deque>
#include <optional>
#include <variant>

namespace autotp {

class GlobalValues;
class IndexLists;

/// A box of the summands of a Partial sum. Of y[i,j], the sum over k < 8 of a[i,k] b[k,j], a tp rank with rows 0-3 of b has
/// at all elements [i,j] the points 0-3 of k, whose span is 0-7. If sums are summed again, the points of the first operator
/// stand first.
struct Summands {
  PathId path;                    ///< the operators through which the sum came
  Lists elements, points;         ///< the lists of the box, by dimension of the value and by dimension that was summed
  Lists elementSpans, pointSpans; ///< all that there is of this path; kWholeSpan: all of an element's dimension
};

/// The reduction over ranks that a value needs before it is whole.
enum class Partial : uint8_t { None, Sum, Max };

/// Says over what a value has been summed in a step of training, beside what the graph sums.
struct SummedOver {
  bool microSteps = false, dp = false;
  bool operator==(const SummedOver &) const = default;
};

struct Content;

/// Some bytes of a content.
struct Piece {
  const Content *content;
  uint64_t offset, bytes;
};
using Pieces = std::vector<Piece>; ///< one after the other

/// Elements of a value of the graph, row-major.
struct Elements {
  RootId root = 0;
  Lists lists;
  Partial partial = Partial::None; ///< else `summands` says what of each element is here
  std::vector<Summands> summands = {};
  SummedOver summedOver = {};
  bool isUpdated = false; ///< a parameter after its update

  bool isPartial() const { return partial != Partial::None; }
  /// Says whether a micro-step computes or reads it.
  bool isOfMicroStep() const { return summedOver == SummedOver() && !isUpdated; }
};

/// Bytes that the program states, or one number throughout.
struct Constant {
  llvm::ArrayRef<char> data = {}; ///< empty: `fill` throughout
  double fill = 0;                ///< of data: 0 if all of it is 0, else not known
  Lists claimed = {};             ///< the part of one of the graph's that it says it is: proven before it is believed
  SummedOver summedOver = {};

  bool isFill() const { return data.empty(); }
};

/// Memory of which rules ask only what it is for.
enum class Stored : uint8_t {
  Sums,    ///< what earlier micro-steps of this step have accumulated; 0 before the first
  State,   ///< states as the step before left them, and padding
  NewState ///< an optimizer state after the update
};

/// Each dp rank has the dp_rank-th of equal parts of an image.
struct SliceOverDp {
  Pieces image;
};

/// A sum of the squares of elements of gradients, or of two other such sums.
struct SumOfSquares {
  struct Counted {
    RootId parameter;
    Lists elements;
  };
  std::vector<Counted> counted = {};
  bool isSliced = false; ///< of these only the dp_rank-th part
  const Content *addends[2] = {nullptr, nullptr};
};

/// A number of a step of training that is no value of the graph.
enum class StepNumber : uint8_t {
  AllSquares,    ///< the sum of squares of all gradients
  Divisor,       ///< the count of the whole batch, times the loss scale
  Scale,         ///< what gradients are multiplied by
  Norm,          ///< of all gradients
  Loss,          ///< the mean loss of the step
  Step,          ///< as the runtime counts, skipped steps too
  NextLossScale, ///< of the next step; this step's is a value of the graph
  ScaleOrSkip,   ///< the scale of gradients, or NaN in a step that is skipped
  IsSkipped,
};

/// Good steps since the loss scale moved, and skipped ones.
struct StepCounts {
  bool isUpdated;
};

/// A value of the schedule of updates.
struct ScheduleValue {
  ValueId value = kNone;
  bool isUpdated = false; ///< a state that a skipped step keeps, after its update
};

/// What some bytes hold. It never changes: memory that is written holds another content.
struct Content {
  DType dtype = DType::F32;
  uint64_t bytes = 0;
  std::variant<Elements, Constant, Stored, SliceOverDp, SumOfSquares, StepNumber, StepCounts, ScheduleValue> what;

  /// Returns null if it is something else.
  template <typename T> const T *as() const { return std::get_if<T>(&what); }
  template <typename T> T *as() { return std::get_if<T>(&what); }
  bool is(Stored kind) const { return as<Stored>() && *as<Stored>() == kind; }
  bool is(StepNumber number) const { return as<StepNumber>() && *as<StepNumber>() == number; }

  bool isZero() const { return as<Constant>() && as<Constant>()->fill == 0; }
  bool isPartial() const { return as<Elements>() && as<Elements>()->isPartial(); }
  bool isUpdated() const;
  SummedOver summedOver() const;
};

/// Adds a piece at the end: if it follows on the last one, that one grows.
void append(Pieces &pieces, const Piece &next);
/// Returns bytes [begin, begin + bytes) of pieces that follow each other.
Pieces sub(llvm::ArrayRef<Piece> pieces, uint64_t begin, uint64_t bytes);
uint64_t bytesOf(llvm::ArrayRef<Piece> pieces);

/// Owns all contents of a proof.
class ContentStore {
public:
  const Content *add(Content content) { return &contents_.emplace_back(std::move(content)); }

  /// The same bytes may be parts of several values, if constants are equal there.
  void addAlternative(const Content *content, const Content *other) { alternatives_[content].push_back(other); }
  llvm::ArrayRef<const Content *> alternatives(const Content *content) const {
    auto at = alternatives_.find(content);
    return at == alternatives_.end() ? llvm::ArrayRef<const Content *>() : llvm::ArrayRef<const Content *>(at->second);
  }

private:
  std::deque<Content> contents_;
  llvm::DenseMap<const Content *, llvm::SmallVector<const Content *, 2>> alternatives_; // looked up only
};

/// Says for a message what a content is, such as "'h' [0-16, 0-32]" or "the sums of earlier micro-steps".
std::string describe(const Content &content, const GlobalValues &values, const IndexLists &lists);

} // namespace autotp
