/// \file A model's own training graph: TrainingInfoProto with Gradient, Adam, Momentum and Adagrad of
/// ai.onnx.preview.training.
///
/// Before:  the model's graph is imported
/// After:   the loss that Gradient differentiates is its only output; ImportedModel::updates holds the rule of each
///          parameter, as its node and attributes say, and the scalars that learning rates and update counts are
///          computed from. Initial values are those of initialization_binding, where it has some.
/// Errors, by name: more than one training graph; Gradient of something that is no initializer, or at other values than
/// the graph's; an initializer that something else updates; a gradient that is changed before its update; a learning
/// rate or count that depends on more than constants and states; initial values that are not known when compiling.
#pragma once

#include "compiler/onnx/importer.h"

namespace autotp {

/// Whether a node is one of those that only a training graph may have.
bool isTrainingOperator(const onnx::NodeProto &node);

llvm::Error importTrainingInfo(Importer &importer);

struct TrainingGraph;
/// Adds the schedule: what learning rates and update counts are computed from. Rules name values of the training graph
/// before, and outputs of the schedule after.
llvm::Error addSchedule(Importer &importer, TrainingGraph &graph, Updates &updates);

} // namespace autotp
