/// \file Pending sums: which summands each coordinate has, and whether several of them together have each exactly once.
#pragma once

#include "compiler/certify/contents/contents.h"

namespace autotp {

/// A span that leaves nothing out.
constexpr ListId kWholeSpan = ~0u;
/// The path of a part that is whole where it is: all summands, whatever they are.
constexpr PathId kWholePath = 0;

/// A path is a stack of (operator, operand through which the part came); kContraction where the sum began.
class Contributions {
public:
  static constexpr unsigned kContraction = ~0u;

  Contributions(const GlobalValues &values, IndexLists &lists) : values_(values), lists_(lists), steps_(1) {}

  PathId extended(PathId path, unsigned node, unsigned operand);

  /// Whether these parts (of one value, whose elements `elements` are wanted) have each summand of each element exactly
  /// once; of a maximum at least once. Else `why` says what is wrong.
  bool isComplete(const std::vector<Part> &parts, llvm::ArrayRef<ListId> elements, Pending kind, std::string &why);

  /// Whether no two boxes overlap, and together they are the domain.
  bool boxesTile(std::vector<Lists> boxes, llvm::ArrayRef<ListId> domain, Pending kind, std::string &why);

private:
  struct Step {
    PathId before = 0;
    unsigned node = 0, operand = 0;
  };
  /// A part and what is left of its path.
  using At = std::pair<PathId, const Part *>;
  using Ats = std::vector<At>;

  /// `wholes` have everything where they are, whatever the summands below.
  bool isCompleteAt(const Ats &parts, std::vector<const Part *> wholes, llvm::ArrayRef<ListId> elements, Pending kind,
                    std::string &why);
  bool tiles(llvm::ArrayRef<const Part *> parts, llvm::ArrayRef<ListId> elements, Pending kind, std::string &why);

  const GlobalValues &values_;
  IndexLists &lists_;
  std::vector<Step> steps_; ///< by PathId
  ByteMap<PathId> known_;
};

} // namespace autotp
