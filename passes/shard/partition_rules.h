/// \file Reads the user's rules on which parameters are sharded (DeepSpeed's `partition_config`) and translates them to
/// axes.
/// Before:  {"layer_specs": [{"patterns": [".*\\.o_proj\\.weight$"], "partition_type": "row"}]}
/// After:   one of the leaves of o_proj's contracted dimension must be chosen
/// `column` names the dimension that a product passes on to its result (torch's dimension 0, `partition_dim: 0`), `row`
/// the one that it sums over (torch's dimension 1), no matter whether the exporter transposed the weight. Of an
/// embedding table, `column` names the rows and `row` the width. `skip` keeps every axis of the parameter whole, and
/// thereby shards no parameter along these axes. `shape` is only compared with the dimension, since the structure is
/// found from the graph. If several rules match a parameter, the first one holds.
#pragma once

#include "compiler/axes/axis_arena.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <string>
#include <vector>

namespace autotp {

class Graph;
struct GraphAxes;

enum class PartitionType : uint8_t { Column, Row, Skip };

struct PartitionRule {
  /// Regular expressions; the rule applies to parameters in whose name one of them is found.
  std::vector<std::string> patterns;
  PartitionType type;
  std::vector<std::vector<int64_t>>
      shape; ///< a list of sub-parameter sizes, or one number, for each of torch's dimensions
};

struct PartitionRules {
  std::vector<PartitionRule> rules;
  /// Whether parameters that no rule names are sharded as they would be without rules; otherwise they stay whole.
  bool usesDefaults = true;
};

/// `config` is a partition_config, or an object that holds one, directly or within "tensor_parallel". Errors name the
/// key.
llvm::Expected<PartitionRules> readPartitionRules(const llvm::json::Value &config);

/// The rules as demands on axes.
struct AxisRules {
  struct Demand {
    std::string who;                     ///< the parameter and its rule, for messages
    llvm::SmallVector<AxisId, 4> leaves; ///< the first of them that may be sharded must be
  };
  std::vector<Demand> demands;
  std::vector<std::pair<AxisId, std::string>> kept; ///< leaves that stay whole, each with its reason
  bool usesDefaults = true;
};

/// `moduleNames` maps the name of an initializer to the name that the module gave it, if the exporter renamed it; a
/// pattern may match either.
/// Errors: a pattern that matches no parameter (with the closest names); a shape that does not fit the parameter; a
/// parameter of two or more dimensions that no product or lookup uses.
llvm::Expected<AxisRules> resolveRules(const Graph &graph, const GraphAxes &axes, const PartitionRules &rules,
                                       const llvm::StringMap<std::string> &moduleNames);

} // namespace autotp
