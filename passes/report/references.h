/// \file What a plan says of weights that it refers to instead of holding a copy.
#pragma once

#include "runtime/plan/referenced_files.h"

namespace autotp {

struct CompiledModel;

/// The model was compiled with FilledWeights::areReferenced.
ReferencedFiles referencesTo(const CompiledModel &compiled);

} // namespace autotp
