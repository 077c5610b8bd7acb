/// \file Decides in which float types a model trains. These passes work on the global graph, before and after
/// differentiate.
/// Before:  %n = rms_norm(%x: f32, %scale: f32);          %y = matmul(%n, %w: f32)
/// After:   %n = rms_norm(%x: bf16, cast(%scale: bf16)) : bf16;   %y = matmul(%n, %w: bf16) : bf16
/// The row of each operator says in which type it runs (Precision, fullOperands and fullResults in compiler/ops/op_def.h).
/// All nodes behind the last product belong to the loss and run in f32.
#pragma once

#include "compiler/ir/graph.h"

namespace autotp {

/// Turns a model that was exported in bf16, f16 or f64 into the same graph in f32, so that later passes see one form.
/// If neither parameters nor inputs are f64, values that the graph computes in f64 between casts stay f64.
struct RaisedPrecision {
  DType own = DType::F32;  ///< the type of most elements of parameters, of f32, bf16 and f16
  bool hadDoubles = false; ///< whether a parameter or an input was f64
};
RaisedPrecision raisePrecision(Graph &graph);

/// Gives parameters, and the values that are computed from them, the type `dtype`; F32 changes nothing. The contents of
/// parameters stay f32, since they initialise the master weights.
void lowerPrecision(Graph &graph, DType dtype);

/// The same for the backward: gradients have the types of their values, and operators that need f32 get casts. The
/// gradient of a parameter stays f32 if it was computed, or summed by a product, in f32.
void lowerGradients(Graph &graph, DType dtype);

} // namespace autotp
