#include "tests/compiler/sharding/sharded_run.h"

#include "compiler/sharding/reshard.h"
#include "passes/partition/localise.h"
#include "passes/shard/place_reductions.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

namespace autotp::test {
namespace {

Array partOf(const Array &whole, const Covers &covers) { return toArray(autotp::partOf(toTensor(whole), covers)); }

bool isClose(double got, double wanted) {
  constexpr double kBound = 1e-10;
  return got == wanted || (got != got && wanted != wanted) ||
         std::fabs(got - wanted) <= kBound * (1 + std::fabs(wanted));
}

std::string differenceOf(const Array &got, const Array &wanted) {
  if (got.data.size() != wanted.data.size())
    return llvm::formatv("it has {0} elements, not {1}", got.data.size(), wanted.data.size()).str();
  for (size_t i = 0; i < got.data.size(); ++i)
    if (!isClose(got.data[i], wanted.data[i]))
      return llvm::formatv("element {0} is {1}, not {2}", i, got.data[i], wanted.data[i]).str();
  return "";
}

/// Adds a tp rank's part to the whole, where it lies.
void addPart(Array &sum, const Array &part, const Covers &covers) {
  Array places(sum.type);
  places.type.dtype = DType::I64;
  for (size_t i = 0; i < places.data.size(); ++i)
    places.data[i] = double(i);
  places = partOf(places, covers);
  for (size_t i = 0; i < part.data.size(); ++i)
    sum.data[size_t(places.data[i])] += part.data[i];
}

} // namespace

Sources randomSources(const Graph &graph, unsigned seed, int64_t limit) {
  std::mt19937 random(seed);
  Sources sources;
  for (ValueId id = 0; id < graph.numValues(); ++id) {
    const Value &value = graph.value(id);
    if (value.kind != ValueKind::Input && value.kind != ValueKind::Parameter) continue;
    Array array(value.type);
    if (value.contents)
      array = toArray(*value.contents);
    else
      for (double &x : array.data)
        x = isFloat(value.type.dtype) ? double(random() % 2001) / 1000 - 1 : double(random() % uint64_t(limit));
    sources[id] = array;
  }
  return sources;
}

void widen(Graph &graph) {
  for (ValueId id = 0; id < graph.numValues(); ++id) {
    Value &value = graph.value(id);
    if (value.type.dtype != DType::F32) continue;
    value.type.dtype = DType::F64;
    if (!value.contents) continue;
    Array array = toArray(*value.contents);
    array.type.dtype = DType::F64;
    value.contents = toTensor(array);
  }
}

Graph reordered(const Graph &graph, std::mt19937 &random) {
  Graph other;
  std::vector<ValueId> at(graph.numValues(), kNone);
  for (ValueKind kind : {ValueKind::Parameter, ValueKind::Input, ValueKind::Constant})
    for (ValueId id : graph.sources(kind)) {
      const Value &value = graph.value(id);
      at[id] = kind == ValueKind::Parameter ? other.addParameter(value.name, value.type, value.contents)
               : kind == ValueKind::Input   ? other.addInput(value.name, value.type)
                                            : other.addConstant(value.name, *value.contents);
    }
  for (const ParameterInfo &parameter : graph.parameters)
    other.parameters.push_back({at[parameter.value], parameter.aliases});
  std::vector<NodeId> left = graph.order();
  while (!left.empty()) {
    std::vector<size_t> ready;
    for (size_t i = 0; i < left.size(); ++i)
      if (llvm::all_of(graph.node(left[i]).operands, [&](ValueId v) { return at[v] != kNone; })) ready.push_back(i);
    size_t next = ready[random() % ready.size()];
    const Node &node = graph.node(left[next]);
    llvm::SmallVector<ValueId, 4> operands;
    for (ValueId operand : node.operands)
      operands.push_back(at[operand]);
    llvm::SmallVector<Type, 2> types;
    for (ValueId result : node.results)
      types.push_back(graph.type(result));
    const Node &made = other.node(other.addNode(node.op, operands, types, node.attributes, node.origin));
    for (size_t j = 0; j < types.size(); ++j)
      at[node.results[j]] = made.results[j];
    left.erase(left.begin() + ptrdiff_t(next));
  }
  for (const Output &output : graph.outputs)
    other.outputs.push_back({output.name, at[output.value]});
  return other;
}

std::vector<AxisId> legalLeaves(const Graph &graph, const GraphAxes &axes, const AxisFacts &facts) {
  std::set<AxisId> seen;
  auto add = [&](llvm::ArrayRef<AxisId> terms) {
    for (AxisId term : terms)
      if (term != kNoAxis)
        for (AxisId leaf : axes.arena.leaves(term))
          if (AxisId root = axes.arena.find(leaf); axes.arena.size(root) > 1 && facts.whole(root).empty())
            seen.insert(root);
  };
  for (const Terms &terms : axes.values)
    add(terms);
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next)
    for (const auto *lists : {&axes.nodes[id].terms.ins, &axes.nodes[id].terms.outs})
      for (const auto &terms : *lists)
        add(terms);
  return {seen.begin(), seen.end()};
}

std::vector<Interval> randomTiling(int64_t size, int tp, std::mt19937 &random) {
  std::vector<int64_t> borders = {0, size};
  for (int i = 1; i < tp; ++i)
    borders.push_back(int64_t(random() % uint64_t(size + 1)));
  llvm::sort(borders);
  std::vector<Interval> tiles;
  for (int i = 0; i < tp; ++i)
    tiles.push_back({borders[size_t(i)], borders[size_t(i) + 1]});
  std::shuffle(tiles.begin(), tiles.end(), random);
  return tiles;
}

std::string firstDifference(const Sharding &s, const Sources &sources, llvm::ArrayRef<Array> whole) {
  Reductions reductions = s.reductions ? *s.reductions : placeReductions(s.graph, s.axes, s.assignment);
  PlacedGraph placed{s.graph, s.axes, s.assignment, reductions, s.tp};
  std::vector<LocalProgram> programs;
  std::vector<Sources> localSources(size_t(s.tp));
  for (int c = 0; c < s.tp; ++c) {
    llvm::Expected<LocalProgram> program = localise(placed, c);
    if (!program) return describe(program.takeError());
    programs.push_back(std::move(*program));
    if (s.change) s.change(programs.back().graph, c);
    for (const LocalParameter &parameter : programs.back().parameters)
      localSources[size_t(c)][parameter.local] = partOf(sources.find(parameter.global)->second, parameter.covers);
    for (ValueId input : s.graph.sources(ValueKind::Input))
      localSources[size_t(c)][programs.back().values[input]] = sources.find(input)->second;
  }
  std::vector<const Graph *> graphs;
  for (const LocalProgram &program : programs)
    graphs.push_back(&program.graph);
  auto values = evaluateRanks(graphs, localSources);
  if (!values) return describe(values.takeError());
  for (NodeId id = s.graph.first(); id != kNone; id = s.graph.node(id).next)
    for (ValueId result : s.graph.node(id).results) {
      bool isPartial = reductions.isPartial[result] && !reductions.isReduced[result];
      Array sum(whole[result].type);
      for (int c = 0; c < s.tp; ++c) {
        ValueId local = programs[size_t(c)].values[result];
        if (local == kNone) break; // made from nothing at each use
        const Node *producer = graphs[size_t(c)]->producer(local);
        if (producer && producer->erased) break; // nobody needs it
        const Array &got = (*values)[size_t(c)][local];
        Covers covers = coversOf(s.axes.arena, s.axes.values[result], s.graph.type(result).shape, s.assignment, c);
        std::string difference;
        if (!isPartial)
          difference = differenceOf(got, partOf(whole[result], covers));
        else
          addPart(sum, got, covers);
        if (isPartial && c == s.tp - 1) difference = differenceOf(sum, whole[result]);
        if (!difference.empty())
          return (llvm::Twine(s.graph.node(id).op) + " %" + s.graph.value(result).name + " on tpRank " +
                  llvm::Twine(c) + (isPartial ? " (Partial): " : ": ") + difference)
              .str();
      }
    }
  return "";
}

} // namespace autotp::test
