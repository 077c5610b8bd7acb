/// \file In which floats a model trains: passes on the global graph, around differentiate.
/// Before:  %n = rms_norm(%x: f32, %scale: f32);          %y = matmul(%n, %w: f32)
/// After:   %n = rms_norm(cast(%x: bf16), cast(%scale: bf16)) : f32;   %y = matmul(cast(%n), %w: bf16) : bf16
/// What each operator runs in is a fact of its row (Precision of compiler/ops/op_def.h). After the last product comes
/// the loss: all of it runs in f32.
#pragma once

#include "compiler/ir/graph.h"

namespace autotp {

/// A model that was exported in bf16, f16 or f64 becomes the same graph in f32, so that every pass sees one form of it.
/// Where parameters and inputs are not f64, what the graph computes in f64 between casts stays so.
struct RaisedPrecision {
  DType own = DType::F32;  ///< what most parameters were in, of f32, bf16 and f16
  bool hadDoubles = false; ///< parameters or inputs were f64
};
RaisedPrecision raisePrecision(Graph &graph);

/// Parameters and what is computed from them become `dtype`; F32: nothing changes. A parameter's contents stay f32:
/// the master weights begin there.
void lowerPrecision(Graph &graph, DType dtype);

/// The same for the backward: gradients have the dtypes of their values, and operators that need f32 get casts. A
/// parameter's gradient that was computed in f32 is handed on in f32.
void lowerGradients(Graph &graph, DType dtype);

} // namespace autotp
