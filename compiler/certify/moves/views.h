/// \file The elements of a root under the shape of a view of it, and back.
#pragma once

#include "compiler/certify/values/ids.h"

#include "llvm/ADT/ArrayRef.h"

#include <optional>

namespace autotp {

class IndexLists;
struct View;

/// Finds the lists of a view's dimensions from those of its root. `local` is the local shape.
std::optional<Lists> inView(IndexLists &lists, const View &view, llvm::ArrayRef<ListId> held,
                            llvm::ArrayRef<int64_t> local = {});
/// Finds the lists of the root's dimensions from those of a view.
std::optional<Lists> inRoot(IndexLists &lists, const View &view, llvm::ArrayRef<ListId> held);
/// Finds the spans of summands (see Summands) of a view from those of its root.
std::optional<Lists> spansInView(IndexLists &lists, const View &view, llvm::ArrayRef<ListId> spans);

} // namespace autotp
