#include "compiler/ops/evaluate.h"

#include "runtime/base/error.h"

namespace autotp {
namespace {

/// The graph of one tp rank during its evaluation.
struct Rank {
  const Graph &graph;
  std::vector<Array> values;
  NodeId next;

  static llvm::Expected<Rank> begin(const Graph &graph, const Sources &sources) {
    Rank rank{graph, std::vector<Array>(graph.numValues()), graph.first()};
    for (ValueId id = 0; id < graph.numValues(); ++id) {
      const Value &value = graph.value(id);
      if (value.producer != kNone) continue;
      auto given = sources.find(id);
      if (given != sources.end())
        rank.values[id] = given->second;
      else if (value.contents)
        rank.values[id] = toArray(*value.contents);
      else if (!value.uses.empty())
        return problem("value '" + escaped(value.name) + "'", "it has no contents to evaluate with");
    }
    return rank;
  }

  /// Evaluates nodes up to the next collective, or to the end.
  void advance() {
    for (; next != kNone && !opOf(graph.node(next)).isCollective; next = graph.node(next).next) {
      const Node &node = graph.node(next);
      llvm::SmallVector<const Array *, 4> operands;
      for (ValueId operand : node.operands)
        operands.push_back(&values[operand]);
      llvm::SmallVector<Array, 2> results = evaluateNode(graph, next, operands);
      for (size_t r = 0; r < results.size(); ++r)
        values[node.results[r]] = std::move(results[r]);
    }
  }
  const Node &waiting() const { return graph.node(next); }
  const Array &operand() const { return values[waiting().operands[0]]; }
};

/// Whether a collective can run: all members of its group wait in one with the same operator and attributes.
bool isReady(llvm::ArrayRef<Rank> ranks, const Node &collective) {
  return llvm::all_of(collective.attributes.integers("group"), [&](int64_t c) {
    return c >= 0 && size_t(c) < ranks.size() && ranks[size_t(c)].next != kNone &&
           ranks[size_t(c)].waiting().op == collective.op &&
           ranks[size_t(c)].waiting().attributes == collective.attributes;
  });
}

/// Runs the collective in which the members of its group wait, and moves them on.
void runCollective(llvm::MutableArrayRef<Rank> ranks, const Node &collective) {
  llvm::ArrayRef<int64_t> group = collective.attributes.integers("group");
  std::vector<double> combined;
  for (int64_t c : group) {
    const std::vector<double> &part = ranks[size_t(c)].operand().data;
    if (collective.is("all_gather")) {
      combined.insert(combined.end(), part.begin(), part.end());
      continue;
    }
    bool isMax = collective.attributes.text("reduce") == "max";
    combined.resize(part.size(), isMax ? -HUGE_VAL : 0);
    for (size_t i = 0; i < part.size(); ++i)
      combined[i] = isMax ? std::max(combined[i], part[i]) : combined[i] + part[i];
  }
  for (int64_t c : group) {
    Rank &rank = ranks[size_t(c)];
    Array result(rank.graph.type(rank.waiting().results[0]));
    result.data = combined;
    roundToType(result);
    rank.values[rank.waiting().results[0]] = std::move(result);
    rank.next = rank.waiting().next;
  }
}

} // namespace

llvm::SmallVector<Array, 2> evaluateNode(const Graph &graph, NodeId id, llvm::ArrayRef<const Array *> operands) {
  const Node &node = graph.node(id);
  llvm::SmallVector<Type, 4> operandTypes, resultTypes;
  for (ValueId operand : node.operands)
    operandTypes.push_back(graph.type(operand));
  llvm::SmallVector<Array, 2> results;
  for (ValueId result : node.results) {
    resultTypes.push_back(graph.type(result));
    results.emplace_back(graph.type(result));
  }
  opOf(node).evaluate(OpCall{operandTypes, node.attributes, resultTypes}, operands, results);
  for (Array &result : results)
    roundToType(result);
  return results;
}

/// Runs all ranks to their next collectives, then one collective whose members are all there, until all graphs have
/// ended.
llvm::Expected<std::vector<std::vector<Array>>> evaluateRanks(llvm::ArrayRef<const Graph *> graphs,
                                                              llvm::ArrayRef<Sources> sources) {
  std::vector<Rank> ranks;
  for (size_t c = 0; c < graphs.size(); ++c) {
    llvm::Expected<Rank> rank = Rank::begin(*graphs[c], sources[c]);
    if (!rank) return rank.takeError();
    ranks.push_back(std::move(*rank));
  }
  while (true) {
    for (Rank &rank : ranks)
      rank.advance();
    auto ready = llvm::find_if(ranks, [&](const Rank &r) { return r.next != kNone && isReady(ranks, r.waiting()); });
    if (ready != ranks.end()) {
      const Node collective = ready->waiting();
      bool isKnown = collective.is("all_reduce") || collective.is("all_gather");
      if (!isKnown || collective.attributes.text("axis") != "tp")
        return problem("operator '" + collective.op.str() + "'", "it is not over the coordinates of tp");
      runCollective(ranks, collective);
      continue;
    }
    auto stuck = llvm::find_if(ranks, [](const Rank &rank) { return rank.next != kNone; });
    if (stuck == ranks.end()) break;
    return problem("node " + stuck->waiting().op.str() + " (from " + escaped(stuck->waiting().origin) + ")",
                   "the coordinates of its group are not all there");
  }
  std::vector<std::vector<Array>> values;
  for (Rank &rank : ranks)
    values.push_back(std::move(rank.values));
  return values;
}

llvm::Expected<std::vector<Array>> evaluateGraph(const Graph &graph, const Sources &sources) {
  llvm::Expected<std::vector<std::vector<Array>>> all = evaluateRanks(&graph, sources);
  if (!all) return all.takeError();
  return std::move(all->front());
}

} // namespace autotp
