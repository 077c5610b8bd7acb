/// \file Ties again what an exporter wrote twice.
/// Before:  %e = gather(%wte, ids);  %logits = matmul(%x, %copy)      (equal bytes, perhaps transposed)
/// After:   %logits = matmul(%x, transpose(%wte)); %copy is an alias of %wte
/// Ties that are said, by the exporter or by the user, whatever uses them. Where no exporter says anything: a table of a
/// lookup and the weight of a product, of rank 2 and equal bytes that are not one number throughout; never norms,
/// biases or two products.
#pragma once

#include "passes/import/find_ties.h"

#include "llvm/Support/Error.h"

namespace autotp {

struct RetieOptions {
  std::vector<Tie> said;
  bool byContents = false;  ///< where nothing is said: by equal bytes
  bool doubtsEqual = false; ///< other weights of equal bytes are an error
};

/// `joined`: the names that were joined, "copy = table (transposed)", for the summary. `equal`: parameters of equal
/// contents, "a = b", that are not tied: one weight that two products use may have been written twice (a layer that is
/// run twice), and is then trained apart.
/// Errors: initializers that are said to be one, but that differ; with `doubtsEqual` all of `equal`.
llvm::Error retieWeights(Graph &graph, const RetieOptions &options, std::vector<std::string> &joined,
                         std::vector<std::string> &equal);

} // namespace autotp
