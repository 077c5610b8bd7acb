#include "passes/shard/partition_rules.h"

#include "compiler/ir/graph.h"
#include "compiler/sharding/graph_axes.h"
#include "runtime/base/bounded_regex.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/Support/Regex.h"

namespace autotp {
namespace {

using JsonArray = llvm::json::Array;
using JsonObject = llvm::json::Object;
using JsonValue = llvm::json::Value;

llvm::Error wrongKey(const llvm::Twine &key, const llvm::Twine &what) {
  return problem("partition_config", ("'" + key + "' " + what).str());
}

/// Reads a list such as [2, -1] or [[q, kv, kv], -1]: per dimension a divisor, -1 for any size, or the sizes of
/// sub-parameters.
llvm::Expected<std::vector<std::vector<int64_t>>> readShape(const JsonValue &value) {
  std::vector<std::vector<int64_t>> shape;
  const JsonArray *dims = value.getAsArray();
  if (!dims) return wrongKey("shape", "is no list");
  for (const JsonValue &dim : *dims) {
    std::vector<int64_t> &sizes = shape.emplace_back();
    if (const JsonArray *parts = dim.getAsArray()) {
      for (const JsonValue &part : *parts)
        if (auto size = part.getAsInteger(); size && *size > 0)
          sizes.push_back(*size);
        else
          return wrongKey("shape", "holds a sub-parameter size that is no positive number");
    } else if (auto size = dim.getAsInteger(); size && (*size > 0 || *size == -1)) {
      sizes.push_back(*size);
    } else {
      return wrongKey("shape", "holds something that is neither a size, nor -1, nor a list of sizes");
    }
  }
  return shape;
}

llvm::Error readType(const JsonObject &spec, PartitionRule &rule) {
  auto type = spec.getString("partition_type");
  if (type == llvm::StringRef("skip"))
    rule.type = PartitionType::Skip;
  else if (type == llvm::StringRef("row"))
    rule.type = PartitionType::Row;
  else if (!spec.get("partition_type") || type == llvm::StringRef("column"))
    rule.type = PartitionType::Column;
  else
    return wrongKey("partition_type", "is neither column, row nor skip");
  if (const JsonValue *dim = spec.get("partition_dim")) {
    auto number = dim->getAsInteger();
    if (!number || (*number != 0 && *number != 1)) return wrongKey("partition_dim", "is neither 0 nor 1");
    if (rule.type != PartitionType::Skip) rule.type = *number == 0 ? PartitionType::Column : PartitionType::Row;
  }
  return llvm::Error::success();
}

llvm::Expected<PartitionRule> readRule(const JsonObject &spec) {
  constexpr llvm::StringLiteral kKnown[] = {"patterns", "partition_type", "partition_dim", "shape"};
  for (const auto &entry : spec)
    if (!llvm::is_contained(kKnown, llvm::StringRef(entry.first)))
      return wrongKey(llvm::StringRef(entry.first), "is a key of layer_specs that is not honoured");
  PartitionRule rule;
  if (llvm::Error error = readType(spec, rule)) return error;
  const JsonArray *patterns = spec.getArray("patterns");
  if (!patterns || patterns->empty()) return wrongKey("patterns", "is missing, or empty");
  for (const JsonValue &pattern : *patterns) {
    auto text = pattern.getAsString();
    if (!text) return wrongKey("patterns", "holds something that is no text");
    rule.patterns.push_back(text->str());
    if (const std::string fault = faultOfRegex(*text); !fault.empty()) return wrongKey(*text, fault);
  }
  if (const JsonValue *shape = spec.get("shape")) {
    auto read = readShape(*shape);
    if (!read) return read.takeError();
    rule.shape = std::move(*read);
  }
  return rule;
}

/// The dimensions of a parameter: `column` are those that its product passes on to the result, `row` those that it sums
/// over. Of an embedding table, `column` are the rows and `row` is the width.
struct Sides {
  llvm::SmallVector<unsigned, 2> column, row;
};

/// Looks for the first forward product or lookup that reads the parameter, also through up to 8 moves such as a
/// transpose. Returns nothing if there is none.
std::optional<Sides> sidesOf(const Graph &graph, const GraphAxes &axes, ValueId parameter, ValueId value, int depth) {
  for (Use use : graph.value(value).uses) {
    const Node &node = graph.node(use.node);
    if (node.backward) continue;
    bool isMove = node.is("transpose") || node.is("reshape") || node.is("cast") || node.is("slice");
    if (isMove && depth < 8)
      if (auto sides = sidesOf(graph, axes, parameter, node.results[0], depth + 1)) return sides;
    bool isTable = node.is("gather") && use.operand == 0;
    if (!node.is("matmul") && !isTable) continue;
    llvm::SmallVector<AxisId, 8> inner;
    for (AxisId term : axes.nodes[use.node].terms.contracted[0])
      for (AxisId leaf : axes.arena.leaves(term))
        inner.push_back(axes.arena.find(leaf));
    Sides sides;
    for (const auto &[d, term] : indexed(axes.values[parameter])) {
      if (term == kNoAxis) continue;
      bool isInner = isTable ? d != 0 : llvm::all_of(axes.arena.leaves(term), [&](AxisId leaf) {
        return llvm::is_contained(inner, axes.arena.find(leaf));
      });
      (isInner ? sides.row : sides.column).push_back(unsigned(d));
    }
    return sides;
  }
  return std::nullopt;
}

/// Whether a dimension has the sizes of a rule: several must add up to it, a single one must divide it, and -1 fits
/// any.
bool fits(const std::vector<int64_t> &sizes, int64_t dimension) {
  if (sizes.size() == 1) return sizes[0] == -1 || dimension % sizes[0] == 0;
  int64_t sum = 0;
  for (int64_t size : sizes)
    sum += size;
  return sum == dimension;
}

class Resolver {
public:
  Resolver(const Graph &graph, const GraphAxes &axes, const PartitionRules &rules,
           const llvm::StringMap<std::string> &moduleNames)
      : graph_(graph), axes_(axes), rules_(rules), moduleNames_(moduleNames) {}

  llvm::Expected<AxisRules> run() {
    AxisRules out;
    out.usesDefaults = rules_.usesDefaults;
    std::vector<std::vector<bool>> isUsed;
    for (const PartitionRule &rule : rules_.rules)
      isUsed.emplace_back(rule.patterns.size(), false);
    for (const ParameterInfo &info : graph_.parameters) {
      const PartitionRule *first = nullptr;
      for (const auto &[r, rule] : indexed(rules_.rules))
        for (const auto &[p, pattern] : indexed(rule.patterns)) {
          if (!matches(pattern, info)) continue;
          isUsed[r][p] = true;
          if (!first) first = &rule;
        }
      if (first)
        if (llvm::Error error = add(info.value, *first, out)) return error;
    }
    for (const auto &[r, rule] : indexed(rules_.rules))
      for (const auto &[p, pattern] : indexed(rule.patterns))
        if (!isUsed[r][p]) return matchesNothing(pattern);
    return out;
  }

private:
  llvm::StringRef moduleName(llvm::StringRef name) const {
    auto at = moduleNames_.find(name);
    return at == moduleNames_.end() ? name : llvm::StringRef(at->second);
  }

  bool matches(const std::string &pattern, const ParameterInfo &info) const {
    llvm::Regex regex(pattern);
    auto isOne = [&](llvm::StringRef name) { return regex.match(name) || regex.match(moduleName(name)); };
    return isOne(graph_.value(info.value).name) ||
           llvm::any_of(info.aliases, [&](const auto &alias) { return isOne(alias.name); });
  }

  llvm::Error matchesNothing(const std::string &pattern) const {
    std::string plain; // only characters that can occur in a name, for the edit distance
    for (char c : pattern)
      if (llvm::isAlnum(c) || c == '_' || c == '.') plain += c;
    std::vector<std::pair<unsigned, std::string>> names;
    for (const ParameterInfo &info : graph_.parameters) {
      std::string name = moduleName(graph_.value(info.value).name).str();
      names.push_back({llvm::StringRef(plain).edit_distance(name.size() > plain.size() + 8
                                                                ? llvm::StringRef(name).take_back(plain.size() + 8)
                                                                : llvm::StringRef(name)),
                       name});
    }
    llvm::sort(names);
    std::string closest;
    for (size_t i = 0; i < names.size() && i < 3; ++i)
      closest += (i ? ", '" : "'") + escaped(names[i].second) + "'";
    return problem("partition_config", "pattern '" + escaped(pattern) + "' matches no parameter",
                   "the closest parameters are " + closest);
  }

  /// The distinct leaves of a parameter, as roots of their classes: of the dimensions `dims`, or of all.
  llvm::SmallVector<AxisId, 4> leavesOf(ValueId parameter, std::optional<llvm::ArrayRef<unsigned>> dims = {}) const {
    llvm::SmallVector<AxisId, 4> leaves;
    for (const auto &[d, term] : indexed(axes_.values[parameter])) {
      if (term == kNoAxis || (dims && !llvm::is_contained(*dims, d))) continue;
      for (AxisId leaf : axes_.arena.leaves(term))
        if (!llvm::is_contained(leaves, axes_.arena.find(leaf))) leaves.push_back(axes_.arena.find(leaf));
    }
    return leaves;
  }

  llvm::Error add(ValueId parameter, const PartitionRule &rule, AxisRules &out) const {
    const Shape &shape = graph_.type(parameter).shape;
    std::string who = "parameter '" + escaped(moduleName(graph_.value(parameter).name)) + "'";
    if (rule.type == PartitionType::Skip) {
      for (AxisId leaf : leavesOf(parameter))
        out.kept.push_back({leaf, "a rule skips " + who});
      return llvm::Error::success();
    }
    auto sides = sidesOf(graph_, axes_, parameter, parameter, 0);
    if (!sides && shape.size() < 2) { // a bias or scale is sharded along the axis that it shares with its product
      out.demands.push_back({who, leavesOf(parameter)});
      return llvm::Error::success();
    }
    if (!sides)
      return problem("partition_config", who + " is neither the weight of a product nor a table",
                     "leave it to the default, or skip it");
    for (size_t side = 0; side < rule.shape.size() && side < 2; ++side)
      for (unsigned d : side == 0 ? sides->column : sides->row)
        if (!fits(rule.shape[side], shape[d]))
          return problem("partition_config", who + ": its dimension of " + std::to_string(shape[d]) +
                                                 " has not the shape that its rule gives it");
    bool isColumn = rule.type == PartitionType::Column;
    llvm::ArrayRef<unsigned> dims = isColumn ? sides->column : sides->row;
    out.demands.push_back({who + (isColumn ? ", by column" : ", by row"), leavesOf(parameter, dims)});
    return llvm::Error::success();
  }

  const Graph &graph_;
  const GraphAxes &axes_;
  const PartitionRules &rules_;
  const llvm::StringMap<std::string> &moduleNames_;
};

} // namespace

llvm::Expected<PartitionRules> readPartitionRules(const JsonValue &config) {
  const JsonObject *object = config.getAsObject();
  if (object && object->getObject("tensor_parallel")) object = object->getObject("tensor_parallel");
  if (object && object->getObject("partition_config")) object = object->getObject("partition_config");
  if (!object) return problem("partition_config", "it is no JSON object");
  PartitionRules rules;
  for (const auto &entry : *object)
    if (entry.first != "layer_specs" && entry.first != "use_default_specs")
      return wrongKey(llvm::StringRef(entry.first), "is a key that is not honoured");
  if (const JsonValue *value = object->get("use_default_specs")) {
    if (!value->getAsBoolean()) return wrongKey("use_default_specs", "is neither true nor false");
    rules.usesDefaults = *value->getAsBoolean();
  }
  const JsonArray *specs = object->getArray("layer_specs");
  if (!specs || specs->empty()) return wrongKey("layer_specs", "is missing, or empty");
  for (const JsonValue &spec : *specs) {
    if (!spec.getAsObject()) return wrongKey("layer_specs", "holds something that is no object");
    auto rule = readRule(*spec.getAsObject());
    if (!rule) return rule.takeError();
    rules.rules.push_back(std::move(*rule));
  }
  return rules;
}

llvm::Expected<AxisRules> resolveRules(const Graph &graph, const GraphAxes &axes, const PartitionRules &rules,
                                       const llvm::StringMap<std::string> &moduleNames) {
  return Resolver(graph, axes, rules, moduleNames).run();
}

} // namespace autotp
