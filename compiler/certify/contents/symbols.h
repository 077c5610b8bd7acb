/// \file The words that all rules speak in: lists of indices, values of the graph, Partial sums and contents.
#pragma once

#include "compiler/certify/contents/contributions.h"
#include "compiler/certify/values/global_values.h"
#include "compiler/certify/values/index_lists.h"

namespace autotp {

struct Symbols {
  explicit Symbols(const Graph &graph) : values(graph, lists), contributions(values, lists) {}
  Symbols(const Symbols &) = delete;

  std::string text(const Content &content) const { return describe(content, values, lists); }
  std::string text(const Content *content) const { return content ? text(*content) : "empty"; }
  /// Returns the root of which the graph's value is a view.
  RootId rootOf(ValueId value) const { return values.view(values.value(value).view).root; }
  RootId rootOf(const GlobalOperand &operand) const { return values.view(operand.view).root; }
  uint64_t bytesOf(llvm::ArrayRef<ListId> held, DType dtype) const {
    return uint64_t(lists.elements(held)) * sizeOf(dtype);
  }
  Lists wholes(llvm::ArrayRef<int64_t> shape) {
    Lists all;
    for (int64_t size : shape)
      all.push_back(lists.whole(size));
    return all;
  }

  IndexLists lists;
  GlobalValues values;
  Contributions contributions;
  ContentStore store;
};

} // namespace autotp
