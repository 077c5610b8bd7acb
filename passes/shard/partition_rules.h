/// \file The user's word on which parameters are sharded: DeepSpeed's `partition_config`, read and brought to axes.
/// Before:  {"layer_specs": [{"patterns": [".*\\.o_proj\\.weight$"], "partition_type": "row"}]}
/// After:   one of the leaves of o_proj's contracted dimension must be chosen
/// `column` is the dimension that a product gives its result (torch's dimension 0, `partition_dim: 0`), `row` the one
/// that it sums over (torch's 1), whatever orientation the exporter gave the weight; of a table, its rows and its
/// width. `skip` leaves every axis of the parameter whole, and so all parameters that share one. `shape` is checked
/// against the dimension; the structure itself is found from the graph. The first rule that matches a parameter holds.
#pragma once

#include "compiler/sharding/graph_axes.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <string>
#include <vector>

namespace autotp {

enum class PartitionType : uint8_t { Column, Row, Skip };

struct PartitionRule {
  std::vector<std::string> patterns; ///< regular expressions; one of them is found in a parameter's name
  PartitionType type;
  std::vector<std::vector<int64_t>>
      shape; ///< a list of sub-parameter sizes, or one number, for each of torch's dimensions
};

struct PartitionRules {
  std::vector<PartitionRule> rules;
  bool usesDefaults = true; ///< what no rule names is chosen as without rules; else it stays whole
};

/// `config`: a partition_config, or an object that holds one, alone or within "tensor_parallel". Errors name the key.
llvm::Expected<PartitionRules> readPartitionRules(const llvm::json::Value &config);

/// Rules in the words of axes.
struct AxisRules {
  struct Demand {
    std::string who;                     ///< parameter and rule, for messages
    llvm::SmallVector<AxisId, 4> leaves; ///< one of them is to be sharded: the first that may
  };
  std::vector<Demand> demands;
  std::vector<std::pair<AxisId, std::string>> kept; ///< leaves that stay whole, and why
  bool usesDefaults = true;
};

/// `moduleNames`: by initializer, the module's own name for it where the exporter renamed it; patterns match either.
/// Errors: a pattern that is no regular expression, or matches no parameter (with the closest names); a shape that does
/// not fit; a parameter that no product or lookup uses.
llvm::Expected<AxisRules> resolveRules(const Graph &graph, const GraphAxes &axes, const PartitionRules &rules,
                                       const llvm::StringMap<std::string> &moduleNames);

} // namespace autotp
