/// \file Buckets of parameters and gradients: which elements of which parameter lie at which place of a flat tensor of one.
#pragma once

#include "compiler/certify/state/tp_rank.h"

namespace autotp {

/// Returns the lists of a parameter's covers; nothing if they do not fit its tensor.
std::optional<Lists> coversOf(const TpRank &rank, const plan::Parameter &parameter);

/// A run of a flat image, which is `elements` of its bucket from `inBucket` on.
struct Window {
  int64_t inImage, inBucket, elements;
};
std::vector<Window> windowsOf(const TpRank &rank, const plan::Bucket &bucket, const plan::TensorRef &ref);

/// Elements [begin, end) of a parameter, as a flat tensor of its bucket has them.
struct Run {
  int64_t begin, end;
  Pieces pieces;
};
/// Fails if the tensor has another part of the bucket than its size says.
llvm::Expected<std::vector<Run>> runsOf(const TpRank &rank, const Flat &flat, const plan::TensorRef &ref,
                                        const plan::Parameter &parameter);

/// Fails unless all that a flat tensor of a parameter's bucket has of its place is its gradient, ready for the update.
llvm::Error checkGradientIn(const TpRank &rank, const Flat &flat, const plan::TensorRef &ref,
                            const plan::Parameter &parameter);

/// Returns the buckets that may hold a gradient in several pieces.
std::vector<int> bucketsInParts(const TpRank &rank);

/// Makes one content of the parts of each gradient in a whole bucket, before gradients are added or slices are cut from it:
/// a concat is nowhere to be seen if its operands were computed at their places.
void joinGradients(TpRank &rank, const plan::TensorRef &ref);

} // namespace autotp
