/// \file The global graph as the certificate reads it: equal computations are one value, and reshapes and slices are
/// other views of the value that they read.
#pragma once

#include "compiler/certify/values/byte_key.h"
#include "compiler/certify/values/operator_indices.h"
#include "compiler/ir/graph.h"
#include "runtime/plan/kernels/kernel_id.h"

#include "llvm/ADT/DenseMap.h"

#include <deque>

namespace autotp {

/// A value of the graph is some elements of a root, in the order of `window`, in this shape.
struct View {
  RootId root;
  Lists window; ///< a list for each dimension of the root
  Sizes sizes;  ///< lengths of the window
  Shape shape;
};

/// A node reads a view, a constant of the graph, or one number throughout.
struct GlobalOperand {
  enum class Kind : uint8_t { Value, Constant, Fill } kind = Kind::Value;
  ViewId view = 0;
  const Tensor *constant = nullptr;
  double fill = 0;
  Type type;
};

/// Says whether adding a constant of the graph changes nothing.
bool isZeroConstant(const GlobalOperand &operand);

/// A node of the graph that computes something, or another computation of the same values.
struct GlobalNode {
  const OpDef *row = nullptr;
  llvm::SmallVector<GlobalOperand, 4> operands;
  llvm::SmallVector<RootId, 3> results;
  llvm::SmallVector<Type, 3> resultTypes;
  const Attributes *attributes = nullptr;
  std::string origin;
  const OperatorIndices *indices = nullptr;
};

/// Refers to the graph, which must outlive it.
class GlobalValues {
public:
  GlobalValues(const Graph &graph, IndexLists &lists);

  struct Root {
    Type type;
    std::string name;
    llvm::SmallVector<ViewId, 2> views;
    int producer = -1; ///< the node that computes it; a source has none
  };
  const Root &root(RootId id) const { return roots_[id]; }
  const View &view(ViewId id) const { return views_[id]; }
  const GlobalNode &node(unsigned id) const { return nodes_[id]; }
  const GlobalOperand &value(ValueId id) const { return values_[id]; }
  /// Returns the same elements as a part of this root, if they are: what lies within one operand of a concat is also a part
  /// of that operand.
  std::optional<ViewId> viewIn(RootId root, ViewId view) const {
    std::optional<ViewId> id = view;
    while (id && views_[*id].root != root)
      id = segments_[*id];
    return id;
  }
  /// Says whether a concat of the graph makes this root.
  bool isConcat(RootId id) const;
  /// Adds the master weights of a parameter, which no node of the graph reads: they are what is updated, in f32.
  RootId addMaster(RootId parameter);
  /// Returns the value itself if it is f32, else its cast.
  GlobalOperand inF32(const GlobalOperand &value);
  /// Returns all ways in which the graph looks at a root.
  llvm::ArrayRef<ViewId> viewsOf(RootId root) const { return roots_[root].views; }

  /// Says whether the graph itself has zeros there: segments of a concat that nothing fills, and what is linear in them.
  bool isZero(ViewId view, llvm::ArrayRef<ListId> held, int depth = 8) const;

  /// Returns the nodes with this kernel that read the root as operand `k`.
  llvm::ArrayRef<unsigned> readers(KernelId kernel, unsigned k, RootId root) const;
  /// Returns the nodes with this kernel that read constants alone.
  llvm::ArrayRef<unsigned> readersOfConstants(KernelId kernel) const { return readers(kernel, kConstants, 0); }
  /// Returns the row of the operator that this kernel computes; null if it computes none.
  static const OpDef *rowOf(KernelId kernel);

private:
  static constexpr unsigned kConstants = 0xff;
  RootId addRoot(const Type &type, llvm::StringRef name);
  ViewId addView(View view);
  GlobalOperand whole(RootId root);
  void visit(const Graph &graph, const Node &node);
  std::optional<GlobalOperand> lookedAt(const Node &node, const Type &type);
  void compute(const Graph &graph, const Node &node);
  std::optional<Lists> leavesOf(const GlobalNode &node, llvm::ArrayRef<ListId> held) const;
  bool isZeroOperand(const GlobalNode &node, size_t k, llvm::ArrayRef<ListId> leaves, int depth) const;
  std::optional<GlobalOperand> joined(const GlobalOperand &a, const GlobalOperand &b, size_t axis);
  llvm::SmallVector<GlobalOperand, 4> neighboursJoined(llvm::ArrayRef<GlobalOperand> operands, size_t axis);
  std::optional<ViewId> segmentOf(const View &view);
  std::optional<GlobalOperand> sliceOf(const Node &node, const GlobalOperand &of, const Type &type);
  /// Adds a node, unless one computes the same already, and returns the one that is there.
  GlobalNode &number(GlobalNode node, llvm::StringRef name);
  void addFormula(GlobalNode &whole);
  const OperatorIndices *indicesOf(const GlobalNode &node);
  ByteKey keyOf(const GlobalNode &node, bool hasOperands) const;

  IndexLists &lists_;
  std::vector<Root> roots_;
  std::vector<View> views_;
  std::vector<std::optional<ViewId>> segments_; ///< by ViewId
  std::deque<GlobalNode> nodes_;
  std::vector<GlobalOperand> values_; ///< by ValueId
  ByteMap<ViewId> knownViews_;
  ByteMap<unsigned> knownNodes_;
  ByteMap<OperatorIndices> indices_;
  llvm::DenseMap<uint64_t, llvm::SmallVector<unsigned, 2>> readers_;
  std::deque<Attributes> attributes_; ///< of nodes that are not in the graph
};

} // namespace autotp
