/// \file Matching that the idioms of this folder share: products in any order, scalars, and which nodes may be removed.
#pragma once

#include "compiler/ops/op_def.h"

namespace autotp {

/// The nodes that an idiom replaces.
using Nodes = llvm::SmallVector<NodeId, 12>;

/// `value`, or the operand of a cast that does not change its type.
ValueId throughCasts(const Graph &graph, ValueId value);
/// The node that computes `value` (through such casts), if its operator is `op`; else kNone.
NodeId madeBy(const Graph &graph, ValueId value, llvm::StringRef op);
/// The number that all elements of a constant or a `full` are.
std::optional<double> uniformOf(const Graph &graph, ValueId value);
/// The number of a constant or a `full` of one element. (A norm's weight of ones is uniform, but is not a number of a
/// formula.)
std::optional<double> scalarOf(const Graph &graph, ValueId value);
/// Whether the numbers are equal up to the rounding of a constant to f32.
bool isNear(double a, double b);

/// One way to read a value as a product: factor * values[0] * values[1] .. / divisors[0] ..
struct Product {
  double factor = 1;
  llvm::SmallVector<ValueId, 4> values, divisors;
  Nodes nodes; ///< the mul, div and reciprocal nodes that the reading takes apart
};
/// All ways to read `value` that take apart at most `depth` levels. Broadcasting may give a factor another type than
/// the product has, so the caller compares the types that matter to it.
llvm::SmallVector<Product, 4> productsOf(const Graph &graph, ValueId value, unsigned depth);

/// The x of x * x or pow(x, 2), else kNone. Appends the nodes to `inside`; so do the functions below.
ValueId matchSquare(const Graph &graph, ValueId value, Nodes &inside);
/// The x of the mean of x over its last dimension, which is kept with size 1, else kNone.
ValueId matchMean(const Graph &graph, ValueId value, Nodes &inside);

/// x / sqrt(mean(y^2) + epsilon) * weight, in any order and spelling. `weight` has the size of the last dimension.
struct Normalised {
  ValueId x, y, weight;
  double epsilon;
  Nodes inside;
};
std::optional<Normalised> matchNormalised(const Graph &graph, ValueId value);

/// Whether all results of nodes in `inside`, except `root`, are used by nodes of `inside` only.
bool isClosed(const Graph &graph, llvm::ArrayRef<NodeId> inside, ValueId root);
/// A builder that adds nodes before the node that computes `root`, with the same origin.
Builder builderAt(Graph &graph, ValueId root);

} // namespace autotp
