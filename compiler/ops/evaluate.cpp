#include "compiler/ops/evaluate.h"

#include "compiler/ops/collectives.h"
#include "runtime/base/error.h"
#include "runtime/plan/lock_step.h"

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
  /// Takes the result of the collective in which it waits, and moves past it.
  void pass(const std::vector<double> &combined) {
    const ValueId result = waiting().results[0];
    Array array(graph.type(result));
    array.data = combined;
    roundToType(array);
    values[result] = std::move(array);
    next = waiting().next;
  }
};

/// Local graphs, whose collectives are all over tp.
class RankEvaluation final : public LockStep {
public:
  explicit RankEvaluation(std::vector<Rank> ranks) : ranks_(std::move(ranks)) {}

  /// The values of each rank, once all have been evaluated.
  std::vector<std::vector<Array>> take() {
    std::vector<std::vector<Array>> values;
    for (Rank &rank : ranks_)
      values.push_back(std::move(rank.values));
    return values;
  }

private:
  llvm::Error advance(size_t rank) override {
    ranks_[rank].advance();
    return llvm::Error::success();
  }
  bool isDone(size_t rank) const override { return ranks_[rank].next == kNone; }
  llvm::SmallVector<size_t, 8> members(size_t rank) const override {
    llvm::ArrayRef<int64_t> group = ranks_[rank].waiting().attributes.integers("group");
    return {group.begin(), group.end()};
  }
  bool isSameCollective(size_t rank, size_t other) const override {
    const Node &a = ranks_[rank].waiting(), &b = ranks_[other].waiting();
    return a.op == b.op && a.attributes == b.attributes;
  }

  llvm::Error meet(llvm::ArrayRef<size_t> members) override {
    const Node &collective = ranks_[members[0]].waiting();
    if (!(collective.is("all_reduce") || collective.is("all_gather")) || meshAxisOf(collective) != plan::TP)
      return problem("operator '" + collective.op.str() + "'", "it is not over the tp ranks");
    const std::vector<double> combined = combine(members, collective);
    for (size_t member : members)
      ranks_[member].pass(combined);
    return llvm::Error::success();
  }

  llvm::Error waitsForEver(size_t rank) const override {
    const Node &node = ranks_[rank].waiting();
    return problem("node " + node.op.str() + " (from " + escaped(node.origin) + ")",
                   "the tp ranks of its group are not all there");
  }

  /// The parts of all members side by side, their sum, or their maximum.
  std::vector<double> combine(llvm::ArrayRef<size_t> members, const Node &collective) const {
    const plan::CollectiveKind kind = kindOf(collective);
    const bool isMax = kind == plan::ALL_REDUCE_MAX;
    const double start = isMax ? -HUGE_VAL : 0;
    std::vector<double> combined;
    for (size_t member : members) {
      const std::vector<double> &part = ranks_[member].operand().data;
      if (kind == plan::ALL_GATHER) {
        combined.insert(combined.end(), part.begin(), part.end());
        continue;
      }
      combined.resize(part.size(), start);
      for (size_t i = 0; i < part.size(); ++i)
        combined[i] = isMax ? std::max(combined[i], part[i]) : combined[i] + part[i];
    }
    return combined;
  }

  std::vector<Rank> ranks_;
};

} // namespace

llvm::SmallVector<Array, 2> evaluateNode(const Graph &graph, NodeId id, llvm::ArrayRef<const Array *> operands) {
  const Node &node = graph.node(id);
  llvm::SmallVector<Array, 2> results;
  for (ValueId result : node.results)
    results.emplace_back(graph.type(result));
  opOf(node).evaluate(NodeCall(graph, node).call(), operands, results);
  for (Array &result : results)
    roundToType(result);
  return results;
}

/// Takes the operations of a node from the budget, and checks that its operands and results fit into it as doubles and
/// as what they become.
static llvm::Error takeFold(const Graph &graph, NodeId id) {
  if (!graph.budget) return llvm::Error::success();
  const Node &node = graph.node(id);
  double elements = 0, bytes = 0;
  for (ValueId operand : node.operands)
    elements += double(graph.type(operand).elements());
  for (ValueId result : node.results) {
    elements += double(graph.type(result).elements());
    bytes += double(graph.type(result).bytes());
  }
  const double operations = std::max(elements, flopsOf(graph, node));
  if (llvm::Error error = graph.budget->check(elements * sizeof(double) + bytes, operations))
    return placed("node '" + escaped(node.origin) + "' (" + node.op.str() + ")", std::move(error));
  graph.budget->takeOperations(operations);
  return llvm::Error::success();
}

llvm::Expected<llvm::SmallVector<Tensor, 2>> foldNode(const Graph &graph, NodeId id, llvm::ArrayRef<Tensor> operands) {
  if (llvm::Error error = takeFold(graph, id)) return error;
  std::vector<Array> contents;
  llvm::SmallVector<const Array *, 4> pointers;
  for (const Tensor &operand : operands)
    contents.push_back(toArray(operand));
  for (const Array &array : contents)
    pointers.push_back(&array);
  llvm::SmallVector<Tensor, 2> results;
  for (const Array &result : evaluateNode(graph, id, pointers))
    results.push_back(toTensor(result));
  return results;
}

llvm::Expected<std::vector<std::vector<Array>>> evaluateRanks(llvm::ArrayRef<const Graph *> graphs,
                                                              llvm::ArrayRef<Sources> sources) {
  std::vector<Rank> ranks;
  for (size_t c = 0; c < graphs.size(); ++c) {
    llvm::Expected<Rank> rank = Rank::begin(*graphs[c], sources[c]);
    if (!rank) return rank.takeError();
    ranks.push_back(std::move(*rank));
  }
  RankEvaluation evaluation(std::move(ranks));
  if (llvm::Error error = evaluation.walk(graphs.size())) return error;
  return evaluation.take();
}

llvm::Expected<std::vector<Array>> evaluateGraph(const Graph &graph, const Sources &sources) {
  llvm::Expected<std::vector<std::vector<Array>>> all = evaluateRanks(&graph, sources);
  if (!all) return all.takeError();
  return std::move(all->front());
}

} // namespace autotp
