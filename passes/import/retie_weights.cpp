#include "passes/import/retie_weights.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/DenseMap.h"

#include <cstring>

namespace autotp {
namespace {

bool isUsedBy(const Graph &graph, ValueId value, llvm::StringRef op) {
  return llvm::any_of(graph.value(value).uses, [&](Use use) { return graph.node(use.node).is(op); });
}

/// Compares element by element, so that it stops at the first difference and copies nothing.
bool isTransposeOf(const Tensor &a, const Tensor &b) {
  int64_t rows = a.type.shape[0], columns = a.type.shape[1];
  if (b.type.dtype != a.type.dtype || b.type.shape != Shape{columns, rows}) return false;
  size_t size = sizeOf(a.type.dtype);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      if (std::memcmp(b.bytes.data() + size_t(c * rows + r) * size, a.bytes.data() + size_t(r * columns + c) * size,
                      size))
        return false;
  return true;
}

bool isConstantValued(const Tensor &tensor) {
  size_t size = sizeOf(tensor.type.dtype);
  for (size_t at = size; at < tensor.bytes.size(); at += size)
    if (std::memcmp(tensor.bytes.data(), tensor.bytes.data() + at, size)) return false;
  return true;
}

enum class Relation : uint8_t { Same, Transposed, Other };

/// Compares two initializers by their contents, or by their shapes if the file has no contents.
Relation relate(const Graph &graph, ValueId one, ValueId other) {
  const Type &a = graph.type(one), &b = graph.type(other);
  const auto &own = graph.value(one).contents, &its = graph.value(other).contents;
  if (a == b && (!own || !its || own->bytes == its->bytes)) return Relation::Same;
  const bool isTurned = a.dtype == b.dtype && a.shape.size() == 2 && b.shape == Shape{a.shape[1], a.shape[0]};
  if (isTurned && (!own || !its || isTransposeOf(*own, *its))) return Relation::Transposed;
  return Relation::Other;
}

class Tier {
public:
  Tier(Graph &graph, std::vector<std::string> &joined) : graph_(graph), joined_(joined) {}
  ~Tier() { // erased at the end only, since callers walk over the parameters
    llvm::erase_if(graph_.parameters, [&](const ParameterInfo &p) { return isGone(p.value); });
  }

  bool isGone(ValueId value) const { return into_.count(value) != 0; }
  /// The parameter to which one was tied, or itself.
  ValueId rootOf(ValueId value) const {
    for (auto at = into_.find(value); at != into_.end(); at = into_.find(value))
      value = at->second;
    return value;
  }

  void tie(ParameterInfo &table, ValueId copy, Relation relation) {
    const bool isTurned = relation == Relation::Transposed;
    Builder builder(graph_, graph_.first());
    builder.origin = "tied to " + graph_.value(table.value).name;
    graph_.replaceAllUses(copy, isTurned ? builder.transpose(table.value, {1, 0}) : table.value);
    table.aliases.push_back({graph_.value(copy).name, isTurned});
    joined_.push_back(graph_.value(copy).name + " = " + graph_.value(table.value).name +
                      (isTurned ? " (transposed)" : ""));
    graph_.setKind(copy, ValueKind::Constant);
    into_[copy] = table.value;
  }

private:
  Graph &graph_;
  std::vector<std::string> &joined_;
  llvm::DenseMap<ValueId, ValueId> into_; ///< only looked up
};

/// The parameter of this name, or the one to which it was tied; null if there is none.
ParameterInfo *parameterNamed(Graph &graph, llvm::StringRef name, const Tier &tier) {
  auto isNamed = [&](const ParameterInfo &p) { return graph.value(p.value).name == name; };
  auto at = llvm::find_if(graph.parameters, isNamed);
  if (at == graph.parameters.end()) return nullptr;
  const ValueId root = tier.rootOf(at->value);
  return &*llvm::find_if(graph.parameters, [&](const ParameterInfo &p) { return p.value == root; });
}

llvm::Error tieAsSaid(Graph &graph, llvm::ArrayRef<Tie> said, Tier &tier) {
  llvm::Error errors = llvm::Error::success();
  for (const Tie &tie : said) {
    ParameterInfo *table = parameterNamed(graph, tie.of, tier), *copy = parameterNamed(graph, tie.copy, tier);
    if (!table || !copy || table == copy) continue;
    const Relation relation = relate(graph, table->value, copy->value);
    if (relation != Relation::Other) {
      tier.tie(*table, copy->value, relation);
      continue;
    }
    errors = llvm::joinErrors(
        std::move(errors),
        problem("initializers '" + escaped(tie.of) + "' and '" + escaped(tie.copy) + "'",
                "they are one parameter, but the file holds different numbers for them, or parts of it",
                "export the model with optimize=False, or train them apart with --no-retie"));
  }
  return errors;
}

/// A weight that is itself looked up is no copy, so two tables are never tied.
void tieByContents(Graph &graph, Tier &tier) {
  auto mayTie = [&](const ParameterInfo &p) {
    const Value &value = graph.value(p.value);
    return value.type.shape.size() == 2 && value.contents && !tier.isGone(p.value);
  };
  for (ParameterInfo &table : graph.parameters) {
    if (!mayTie(table) || !isUsedBy(graph, table.value, "gather") ||
        isConstantValued(*graph.value(table.value).contents))
      continue;
    for (size_t i = 0; i < graph.parameters.size(); ++i) {
      const ParameterInfo &copy = graph.parameters[i];
      if (copy.value == table.value || !mayTie(copy) || !isUsedBy(graph, copy.value, "matmul") ||
          isUsedBy(graph, copy.value, "gather"))
        continue;
      if (Relation relation = relate(graph, table.value, copy.value); relation != Relation::Other)
        tier.tie(table, copy.value, relation);
    }
  }
}

/// Pairs of equal weights of rank 2, in the order of parameters.
std::vector<std::string> equalWeights(const Graph &graph) {
  std::vector<std::string> found;
  auto contents = [&](const ParameterInfo &p) {
    return graph.type(p.value).shape.size() == 2 ? graph.value(p.value).contents : std::nullopt;
  };
  for (const auto &[i, one] : indexed(graph.parameters)) {
    auto own = contents(one);
    if (!own) continue;
    for (const ParameterInfo &other : llvm::ArrayRef<ParameterInfo>(graph.parameters).drop_front(i + 1)) {
      auto bytes = contents(other);
      if (bytes && bytes->type == own->type && bytes->bytes == own->bytes && !isConstantValued(*own))
        found.push_back(graph.value(other.value).name + " = " + graph.value(one.value).name);
    }
  }
  return found;
}

/// The error for equal weights, since equal bytes alone do not say that two weights are one.
llvm::Error doubtOf(llvm::ArrayRef<std::string> pairs) {
  std::string list;
  for (const std::string &pair : pairs)
    list += "\n    " + escaped(pair);
  return problem("weights",
                 "these hold equal numbers, and nothing says whether they are one that was written twice:" + list,
                 "say that they are one by such a line in the list of --parameters FILE, or train them apart with "
                 "--no-retie");
}

} // namespace

llvm::Error retieWeights(Graph &graph, const RetieOptions &options, std::vector<std::string> &joined,
                         std::vector<std::string> &equal) {
  {
    Tier tier(graph, joined);
    if (llvm::Error error = tieAsSaid(graph, options.said, tier)) return error;
    if (options.byContents) tieByContents(graph, tier);
  } // the destructor of `tier` has removed the tied parameters
  equal = equalWeights(graph);
  return options.doubtsEqual && !equal.empty() ? doubtOf(equal) : llvm::Error::success();
}

} // namespace autotp
