/// \file Imports a model's own training graph: TrainingInfoProto with Gradient, Adam, Momentum and Adagrad of
/// ai.onnx.preview.training.
///
/// Before:  the model's graph is imported
/// After:   the loss that Gradient differentiates is its only output; ImportedModel::updates holds the rule of each
///          parameter, by its node and attributes, and the scalars from which learning rates and update counts are
///          computed. Initial values are those of initialization_binding, if it has any.
/// Errors, with names: there are several training graphs; Gradient is of something that is no initializer, or at other
/// values than the graph's; something else updates an initializer; a gradient is changed before its update; a learning
/// rate or count depends on more than constants and states; initial values are not known when compiling.
#pragma once

#include "compiler/onnx/importer.h"

namespace autotp {

/// Whether a node is one that only a training graph may have.
bool isTrainingOperator(const onnx::NodeProto &node);

/// Imports the training graph of the importer's model, whose own graph is imported already.
llvm::Error importTrainingInfo(Importer &importer);

struct TrainingGraph;
/// Adds the schedule, from which learning rates and update counts are computed. Before the call, rules name values of
/// the training graph; after it, outputs of the schedule.
llvm::Error addSchedule(Importer &importer, TrainingGraph &graph, Updates &updates);

} // namespace autotp
