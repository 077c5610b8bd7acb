/// \file The elements of a root under the shape of a view of it, and back.
#pragma once

#include "compiler/certify/values/ids.h"

#include "llvm/ADT/ArrayRef.h"

#include <optional>

namespace autotp {

class IndexLists;
struct View;

/// Lists of a view's dimensions, from those of its root. `local`: the local shape.
std::optional<Lists> inView(IndexLists &lists, const View &view, llvm::ArrayRef<ListId> held,
                            llvm::ArrayRef<int64_t> local = {});
/// And the other way.
std::optional<Lists> inRoot(IndexLists &lists, const View &view, llvm::ArrayRef<ListId> held);
/// Spans of summands, see Summands.
std::optional<Lists> spansInView(IndexLists &lists, const View &view, llvm::ArrayRef<ListId> spans);

} // namespace autotp
