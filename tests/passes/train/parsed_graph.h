/// \file A graph from its text, with every parameter trained.
#pragma once

#include "compiler/ir/parse.h"
#include "compiler/ops/op_def.h"

namespace autotp {

inline Graph parsed(llvm::StringRef text) {
  Graph graph = llvm::cantFail(parse(text, [](llvm::StringRef name) {
    const OpDef *row = findOp(name);
    return row ? llvm::StringRef(row->name) : llvm::StringRef();
  }));
  for (ValueId id : graph.sources(ValueKind::Parameter))
    graph.parameters.push_back({id, {}});
  return graph;
}

} // namespace autotp
