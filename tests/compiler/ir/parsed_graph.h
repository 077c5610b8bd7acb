/// \file Graphs from their text.
#pragma once

#include "compiler/ir/parse.h"
#include "compiler/ops/op_def.h"

namespace autotp {

/// Names of operators, as parse() wants them: in static storage.
inline llvm::StringRef intern(llvm::StringRef name) {
  const OpDef *row = findOp(name);
  return row ? llvm::StringRef(row->name) : llvm::StringRef();
}

inline Graph graphOf(llvm::StringRef text) { return llvm::cantFail(parse(text, intern)); }

/// With every parameter trained.
inline Graph parsed(llvm::StringRef text) {
  Graph graph = graphOf(text);
  for (ValueId id : graph.sources(ValueKind::Parameter))
    graph.parameters.push_back({id, {}});
  return graph;
}

} // namespace autotp
