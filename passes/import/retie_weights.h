/// \file Ties weights that an exporter wrote twice.
/// Before:  %e = gather(%wte, ids);  %logits = matmul(%x, %copy)      (equal bytes, perhaps transposed)
/// After:   %logits = matmul(%x, transpose(%wte)); %copy is an alias of %wte
/// Ties that the exporter or the user states are made whatever the uses. If the exporter says nothing, the table of a
/// lookup and the weight of a product are tied if both have rank 2 and equal bytes that are not all one number; norms,
/// biases or two products are never tied in this way.
#pragma once

#include "passes/import/find_ties.h"

#include "llvm/Support/Error.h"

namespace autotp {

class Graph;

struct RetieOptions {
  std::vector<Tie> said;
  bool byContents = false;  ///< whether to tie by equal bytes, since nothing is stated
  bool doubtsEqual = false; ///< whether other weights of equal bytes are an error
};

/// `joined` gets the ties that were made, such as "copy = table (transposed)", for the summary. `equal` gets pairs such
/// as "a = b" of parameters that have equal contents but are not tied. Such a pair may be one weight of a layer that
/// runs twice, which is then trained as two.
/// Errors: initializers that are stated to be one but differ; with `doubtsEqual`, all of `equal`.
llvm::Error retieWeights(Graph &graph, const RetieOptions &options, std::vector<std::string> &joined,
                         std::vector<std::string> &equal);

} // namespace autotp
