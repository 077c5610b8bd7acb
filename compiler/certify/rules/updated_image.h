/// \file What an update leaves of the parameters of a bucket, piece by piece.
#pragma once

#include "compiler/certify/state/tp_rank.h"

namespace autotp {

struct UpdateRule;

struct UpdatedImage {
  Pieces image;
  const UpdateRule *rule = nullptr; ///< of all its parameters; null if it is all padding
};

/// Fails if an element is updated twice, with what is not its own gradient, or by another rule than others, or if it decays
/// against what was asked for.
llvm::Expected<UpdatedImage> updatedImage(TpRank &rank, const plan::KernelCall &call, const Flat &parameters,
                                          const Flat &gradients);

} // namespace autotp
