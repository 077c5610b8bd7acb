/// \file What plans say of collectives: names of their kinds and mesh axes, and what they may be done in.
#pragma once

#include "runtime/plan/dtype.h"
#include "runtime/plan/plan.pb.h"

#include "llvm/ADT/StringRef.h"

#include <optional>

namespace autotp {

/// "reduce_scatter"; empty for a number that is no kind.
llvm::StringRef nameOf(plan::CollectiveKind kind);
/// "tp", "dp" or "world"; empty for a number that is no mesh axis.
llvm::StringRef nameOf(plan::MeshAxis axis);

/// The mesh axis of this name, if there is one.
std::optional<plan::MeshAxis> meshAxisNamed(llvm::StringRef name);

/// Whether it adds or compares elements, and does not only move them.
bool combines(plan::CollectiveKind kind);

} // namespace autotp
