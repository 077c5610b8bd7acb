/// \file What the idioms of this folder are matched with: products in any order, scalars, and what may be taken away.
#pragma once

#include "compiler/ops/op_def.h"

namespace autotp {

/// The nodes that an idiom takes in.
using Nodes = llvm::SmallVector<NodeId, 12>;

/// `value`, or what it is a cast of to its own type.
ValueId throughCasts(const Graph &graph, ValueId value);
/// The node that computes `value` (through casts to its own type) if its operator is `op`, else kNone.
NodeId madeBy(const Graph &graph, ValueId value, llvm::StringRef op);
/// The one number that all elements of a constant or a `full` have.
std::optional<double> uniformOf(const Graph &graph, ValueId value);
/// The number of a constant or a `full` of one element. (A norm's weight of ones is uniform, but no number in a
/// formula.)
std::optional<double> scalarOf(const Graph &graph, ValueId value);
/// Equal up to the rounding of a constant to f32.
bool isNear(double a, double b);

/// One reading of a value: factor * values[0] * values[1] .. / divisors[0] ..
struct Product {
  double factor = 1;
  llvm::SmallVector<ValueId, 4> values, divisors;
  Nodes nodes; ///< the mul, div and reciprocal nodes that were taken apart
};
/// All readings of `value` that take apart at most `depth` levels. The type of a factor may differ from the product's
/// by broadcasting: the caller compares the types that matter to it.
llvm::SmallVector<Product, 4> productsOf(const Graph &graph, ValueId value, unsigned depth);

/// x of x * x or pow(x, 2), else kNone.
ValueId matchSquare(const Graph &graph, ValueId value, Nodes &inside);
/// x of the mean of x over its last dimension, which is kept, else kNone.
ValueId matchMean(const Graph &graph, ValueId value, Nodes &inside);

/// x / sqrt(mean(y^2) + epsilon) * weight, in any order and spelling. weight: [size of the last dimension].
struct Normalised {
  ValueId x, y, weight;
  double epsilon;
  Nodes inside;
};
std::optional<Normalised> matchNormalised(const Graph &graph, ValueId value);

/// Whether only nodes of `inside` use what they compute, but for `root`.
bool isClosed(const Graph &graph, llvm::ArrayRef<NodeId> inside, ValueId root);
/// A builder that adds nodes before the one that computes `root`, in its name.
Builder builderAt(Graph &graph, ValueId root);

} // namespace autotp
