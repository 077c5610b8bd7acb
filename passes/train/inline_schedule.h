/// \file Copies the computation of a step's scalars, such as the learning rate (Updates::schedule), into
/// optimizer_step.
#pragma once

#include "compiler/ops/op_def.h"

#include "llvm/ADT/StringMap.h"

namespace autotp {

/// Adds the nodes of the schedule at the place where `b` builds. `sourceOf` returns the value that replaces each input
/// and state of the schedule; it is called for inputs first, in their order. Returns the outputs of the schedule by
/// name.
llvm::StringMap<ValueId> inlineSchedule(const Graph &schedule, Builder &b,
                                        llvm::function_ref<ValueId(const Value &)> sourceOf);

} // namespace autotp
