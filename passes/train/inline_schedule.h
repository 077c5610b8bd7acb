/// \file Puts the scalars of a step (Updates::schedule) into optimizer_step.
#pragma once

#include "compiler/ops/op_def.h"

#include "llvm/ADT/StringMap.h"

namespace autotp {

/// Adds the schedule's nodes where `b` builds; `sourceOf` says what stands for each of its inputs and states, which are
/// asked for in their order. Returns its outputs by name.
llvm::StringMap<ValueId> inlineSchedule(const Graph &schedule, Builder &b,
                                        llvm::function_ref<ValueId(const Value &)> sourceOf);

} // namespace autotp
