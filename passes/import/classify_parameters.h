/// \file Tells parameters from an exporter's constants, by their role and never by their names.
/// Before:  every float initializer of rank 1 and more is a parameter
/// After:   those with a trainable role are, and are listed in Graph::parameters; the others are constants
/// Trainable roles: an operand of a product whose other side depends on an input; a table of a lookup; scale or bias of a
/// norm; a vector that multiplies, or is added to, a dimension of a value that depends on an input, or takes its place
/// (where); a table that is added to embeddings (what lookups and additions of them alone gave); and what a formula
/// without an input makes such an operand of: reshapes and casts, a sum of products, a norm.
/// Not trainable: masks that are added to scores, frequencies and tables of rotations, single numbers, and the ones that
/// an exporter gives all norms without a scale.
/// --train and --freeze REGEX overrule it. Errors: a pattern that is no regular expression, or that matches nothing.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

namespace autotp {

struct ParameterOverrides {
  std::string train, freeze; ///< regular expressions, found in names; empty: none
};

/// `moduleNames`: by initializer, the module's own name for it where the exporter renamed it; patterns match either.
/// `untrained`: names of what is no parameter by what reads it, unless --train says so.
llvm::Error classifyParameters(Graph &graph, llvm::ArrayRef<ValueId> initializers, const ParameterOverrides &overrides,
                               const llvm::StringMap<std::string> &moduleNames = {},
                               llvm::ArrayRef<std::string> untrained = {});

/// The same where a model's own training graph says what is trained.
llvm::Error takeParameters(Graph &graph, llvm::ArrayRef<ValueId> initializers,
                           llvm::function_ref<bool(const std::string &)> isTrained);

} // namespace autotp
