/// \file What the exporter says of each initializer: that it is a parameter, that it is none, or that it was folded from
/// parameters, so that the file no longer holds them.
///   kind PARAMETER, or a call that names a p_...         trained
///   BUFFER, CONSTANT_TENSOR, b_..., c_..., computed from no parameter, a number that a call states     not trained
///   a view of a parameter, or the sum of a vector and a number, which trains the same                   trained
///   any other formula of parameters, such as -exp(A); what a norm was multiplied into                   lost
/// Before order-nodes: what the exporter says is by node.
#pragma once

#include "compiler/ir/exporter_facts.h"

namespace autotp {

struct ExporterVerdict {
  enum class Kind : uint8_t {
    None, ///< nothing is said
    Trained,
    Constant,
    Unnamed, ///< no call names it, nor a value that it was folded from: constant, unless its role says something else
    Lost,    ///< folded from parameters by a formula
    Contradicted ///< it says two things
  };
  Kind kind = Kind::None;
  std::string why;            ///< "PARAMETER", "folded from A_log by a formula"
  bool isOfParameter = false; ///< Lost, and what it was folded from is a parameter for certain
  bool isShifted = false; ///< Trained, and the file holds the sum of a parameter and a number, which decays otherwise
};

/// By the initializer's name; those of which nothing is said are left out.
std::map<std::string, ExporterVerdict> exporterVerdicts(const Graph &graph, const ExporterFacts &facts);

} // namespace autotp
