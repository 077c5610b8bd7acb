/// \file What a program says of one of its tensors.
#pragma once

#include "compiler/certify/values/ids.h"
#include "runtime/plan/plan.pb.h"

#include <optional>

namespace autotp {

class IndexLists;

uint64_t bytesOf(const plan::TensorRef &ref);
Sizes shapeOf(const plan::TensorRef &ref);
/// Returns the number of elements of the dimensions before `axis`.
int64_t outerElements(const plan::TensorRef &ref, int64_t axis);

using PlanCovers = google::protobuf::RepeatedPtrField<plan::Cover>;
/// Returns the covers of a tensor as lists, one for each dimension; nothing if they do not fit the tensor.
std::optional<Lists> listsOf(IndexLists &lists, const PlanCovers &covers, const plan::TensorRef &ref);

} // namespace autotp
