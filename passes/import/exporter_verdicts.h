/// \file What the exporter says about each initializer: it is a parameter, it is none, or it was folded from
/// parameters, so that the file no longer holds them.
///   kind PARAMETER, or a call that names a p_...         trained
///   BUFFER, CONSTANT_TENSOR, b_..., c_..., computed from no parameter, a number that a call states     not trained
///   a view of a parameter, or the sum of a vector and a number, which trains the same                   trained
///   any other formula of parameters, such as -exp(A); a weight into which a norm was folded             lost
/// Must run before order-nodes, since the exporter's facts are by node.
#pragma once

#include <map>
#include <string>

namespace autotp {

struct ExporterFacts;
class Graph;

struct ExporterVerdict {
  enum class Kind : uint8_t {
    None, ///< the exporter says nothing
    Trained,
    Constant,
    Unnamed,     ///< no call names it or a value that it was folded from: constant, unless its role says otherwise
    Lost,        ///< folded from parameters by a formula
    Contradicted ///< the exporter says two different things
  };
  Kind kind = Kind::None;
  std::string why;            ///< such as "PARAMETER", or "folded from A_log by a formula"
  bool isOfParameter = false; ///< with Lost: it was certainly folded from a parameter
  /// With Trained: the file holds a parameter plus a number, to which weight decay would do something else.
  bool isShifted = false;
};

/// By the name of the initializer, without those of kind None.
std::map<std::string, ExporterVerdict> exporterVerdicts(const Graph &graph, const ExporterFacts &facts);

} // namespace autotp
