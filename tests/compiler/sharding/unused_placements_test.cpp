// docs/placements.md: which placements of operands are right by value although the rules ask for a reshard first.
// Every operator, every combination of placements of its operands on two ranks, without any rule.
#include "compiler/sharding/reshard.h"
#include "passes/shard/place_reductions.h"
#include "runtime/base/indexed.h"
#include "tests/compiler/ops/op_case.h"
#include "tests/compiler/sharding/operator_example.h"
#include "tests/golden/expect_golden.h"

#include "llvm/ADT/StringExtras.h"

#include <cmath>
#include <map>

namespace autotp::test {
namespace {

/// How a value lies on two ranks.
struct Placed {
  enum class Kind : uint8_t { Replicate, Shard, Sum, Max } kind = Kind::Replicate;
  unsigned dim = 0;
  auto operator<=>(const Placed &) const = default;
  bool isPartial() const { return kind == Kind::Sum || kind == Kind::Max; }
  std::string text() const {
    switch (kind) {
    case Kind::Replicate:
      return "Replicate";
    case Kind::Shard:
      return "Shard(" + std::to_string(dim) + ")";
    case Kind::Sum:
      return "Partial(sum)";
    case Kind::Max:
      break;
    }
    return "Partial(max)";
  }
};
using Placements = llvm::SmallVector<Placed, 6>;

/// All that a value of this type may have; what says most of the value comes first.
Placements placementsOf(const Type &type) {
  Placements all = {{}};
  for (unsigned d = 0; d < type.shape.size(); ++d)
    if (type.shape[d] > 1) all.push_back({Placed::Kind::Shard, d});
  if (isFloat(type.dtype)) all.append({{Placed::Kind::Sum}, {Placed::Kind::Max}});
  return all;
}

Covers coversOf(llvm::ArrayRef<int64_t> shape, Placed placed, size_t tpRank) {
  Covers covers = wholeCovers(shape);
  if (placed.kind == Placed::Kind::Shard) covers[placed.dim] = {evenIntervals(shape[placed.dim], 2)[tpRank]};
  return covers;
}

using Parts = std::array<Array, 2>;

Parts partsOf(const Array &whole, Placed placed, std::mt19937 &random) {
  Parts parts;
  for (size_t c = 0; c < 2; ++c)
    parts[c] = toArray(partOf(toTensor(whole), coversOf(whole.type.shape, placed, c)));
  for (size_t i = 0; placed.isPartial() && i < whole.data.size(); ++i) {
    double some = double(random() % 2001) / 1000 - 1;
    size_t other = random() % 2;
    if (std::isnan(whole.data[i])) {
      parts[other].data[i] = some; // one part is enough
      continue;
    }
    parts[other].data[i] -= placed.kind == Placed::Kind::Max ? 4 * std::fabs(some) : some;
    if (placed.kind == Placed::Kind::Sum) parts[1 - other].data[i] = some;
  }
  return parts;
}

bool isClose(double got, double wanted) {
  return got == wanted || (got != got && wanted != wanted) || std::fabs(got - wanted) <= 1e-9 * (1 + std::fabs(wanted));
}

double maximum(double a, double b) { return a > b || std::isnan(a) ? a : b; }

bool isPlaced(const Parts &parts, Placed placed, const Array &whole) {
  for (size_t c = 0; c < 2; ++c)
    if (parts[c].type.shape != shapeOf(coversOf(whole.type.shape, placed, c))) return false;
  if (placed.isPartial()) {
    for (size_t i = 0; i < whole.data.size(); ++i) {
      double a = parts[0].data[i], b = parts[1].data[i];
      if (!isClose(placed.kind == Placed::Kind::Sum ? a + b : maximum(a, b), whole.data[i])) return false;
    }
    return true;
  }
  for (size_t c = 0; c < 2; ++c)
    if (!std::equal(parts[c].data.begin(), parts[c].data.end(),
                    toArray(partOf(toTensor(whole), coversOf(whole.type.shape, placed, c))).data.begin(), isClose))
      return false;
  return true;
}

/// Nothing where the operator does not take these operands.
std::optional<std::vector<Array>> run(const OperatorCall &call, llvm::ArrayRef<const Array *> operands,
                                      llvm::ArrayRef<Type> stated) {
  const OpDef &row = *findOp(call.op);
  llvm::SmallVector<Type, 4> types;
  for (const Array *operand : operands)
    types.push_back(operand->type);
  llvm::Expected<Types> results = row.infer({types, call.attributes, stated});
  if (!results) return llvm::consumeError(results.takeError()), std::nullopt;
  std::vector<Array> values(results->begin(), results->end());
  row.evaluate({types, call.attributes, *results}, operands, values);
  return values;
}

/// The same call on other numbers, of either sign.
OperatorCall onOtherNumbers(OperatorCall call, std::mt19937 &random) {
  for (Array &operand : call.operands)
    for (double &x : operand.data) {
      if (isFloat(operand.type.dtype)) x = double(random() % 4001) / 1000 - 2;
      if (operand.type.dtype == DType::Bool) x = double(random() % 2);
    }
  return call;
}

OperatorCall mapped(OperatorCall call, double (*f)(double)) {
  for (Array &operand : call.operands)
    for (double &x : operand.data)
      if (isFloat(operand.type.dtype)) x = f(x);
  return call;
}

/// A call, and its operands' parts under every placement.
struct Trial {
  Trial(OperatorCall theCall, std::mt19937 &random) : call(std::move(theCall)) {
    llvm::SmallVector<const Array *, 4> operands;
    for (const Array &operand : call.operands) {
      operands.push_back(&operand);
      parts.emplace_back();
      for (Placed placed : placementsOf(operand.type))
        parts.back().push_back(partsOf(operand, placed, random));
    }
    whole = *run(call, operands, call.results);
  }

  /// The parts of all results, where operand k lies by placement choice[k] and result 0 is to lie by `first`.
  std::optional<std::vector<Parts>> runParts(llvm::ArrayRef<size_t> choice, Placed first) const {
    std::vector<Parts> results(whole.size());
    for (size_t c = 0; c < 2; ++c) {
      llvm::SmallVector<const Array *, 4> operands;
      for (size_t k = 0; k < choice.size(); ++k)
        operands.push_back(&parts[k][choice[k]][c]);
      auto ran = run(call, operands, Type{whole[0].type.dtype, shapeOf(coversOf(whole[0].type.shape, first, c))});
      if (!ran) return std::nullopt;
      for (size_t j = 0; j < results.size(); ++j)
        results[j][c] = std::move((*ran)[j]);
    }
    return results;
  }

  OperatorCall call;
  std::vector<std::vector<Parts>> parts; // by operand, by placement
  std::vector<Array> whole;
};

/// For each result the placements that it has in all trials; none where the operator cannot run on the parts.
std::vector<Placements> rightResults(llvm::ArrayRef<Trial> trials, llvm::ArrayRef<size_t> choice) {
  const std::vector<Array> &whole = trials[0].whole;
  std::vector<Placements> right(whole.size());
  for (Placed first : placementsOf(whole[0].type)) { // an operator may be told its result's shape
    std::vector<Placements> found(whole.size());
    for (size_t j = 0; j < whole.size(); ++j)
      found[j] = j == 0 ? Placements{first} : placementsOf(whole[j].type);
    for (const Trial &trial : trials) {
      auto ran = trial.runParts(choice, first);
      for (size_t j = 0; j < whole.size(); ++j)
        llvm::erase_if(found[j], [&](Placed placed) { return !ran || !isPlaced((*ran)[j], placed, trial.whole[j]); });
      if (found[0].empty()) break;
    }
    for (size_t j = 0; j < whole.size() && !found[0].empty(); ++j)
      right[j].append(found[j]);
  }
  return right;
}

/// "Replicate, Shard(0)": of each the first; "" where some has none.
std::string firstOf(llvm::ArrayRef<Placements> values) {
  std::string text;
  for (const Placements &placed : values) {
    if (placed.empty()) return "";
    text += (text.empty() ? "" : ", ") + placed.front().text();
  }
  return text;
}

/// Whether the rules take the operands as they lie: under no assignment, or that of one leaf.
bool areTaken(const OperatorCall &call, llvm::ArrayRef<Placed> placements) {
  OneOperator one(call);
  AxisFacts facts(one.graph, one.axes);
  std::vector<AxisId> leaves = legalLeaves(one.graph, one.axes, facts);
  leaves.push_back(kNoAxis);
  const Node &node = one.graph.node(one.node);
  return llvm::any_of(leaves, [&](AxisId leaf) {
    Assignment assignment;
    if (leaf != kNoAxis) assignment.assign(leaf, evenIntervals(one.axes.arena.size(leaf), 2));
    size_t partial = 0;
    for (auto [k, placed] : indexed(placements)) {
      ValueId operand = node.operands[k];
      const Shape &shape = one.graph.type(operand).shape;
      for (int c = 0; leaf != kNoAxis && c < 2; ++c)
        if (coversOf(one.axes.arena, one.axes.values[operand], shape, assignment, c) !=
            coversOf(shape, placed, size_t(c)))
          return false;
      if (leaf == kNoAxis && placed.kind == Placed::Kind::Shard) return false;
      if (placed.kind == Placed::Kind::Max) return false;
      if (placed.kind != Placed::Kind::Sum) continue;
      ++partial;
      for (unsigned j = 0; j < node.results.size(); ++j)
        if (!passesThrough(one.graph, one.axes, assignment, one.node, unsigned(k), j)) return false;
    }
    return partial < 2 || opOf(node).isAdditive;
  });
}

/// Of a call: how its operands may lie without a rule that says so, and how its results then lie.
std::map<Placements, std::string, std::less<>> unusedOf(const OperatorCall &call, std::mt19937 &random) {
  const OperatorCall other = onOtherNumbers(call, random);
  auto negative = [](double x) { return -x; };
  auto reciprocal = [](double x) { return 1 / x; };
  const Trial trials[] = {{call, random},
                          {other, random},
                          {mapped(other, negative), random},
                          {mapped(call, reciprocal), random},
                          {onOtherNumbers(call, random), random}};
  std::map<Placements, std::string, std::less<>> unused;
  llvm::SmallVector<size_t, 8> choice(call.operands.size());
  Placements placements(call.operands.size());
  std::function<void(size_t)> choose = [&](size_t k) {
    if (k < placements.size()) {
      for (auto [i, placed] : indexed(placementsOf(call.operands[k].type))) {
        placements[k] = placed;
        choice[k] = i;
        choose(k + 1);
      }
      return;
    }
    std::string results = firstOf(rightResults(trials, choice));
    if (!results.empty() && !areTaken(call, placements)) unused[placements] = results;
  };
  choose(0);
  return unused;
}

/// Whether the same holds where an operand that lies whole is Partial(max), which is less to ask for.
bool isSpecialCase(Placements placements, const std::string &results,
                   const std::map<Placements, std::string, std::less<>> &unused) {
  for (Placed &placed : placements) {
    if (placed.kind != Placed::Kind::Replicate) continue;
    placed.kind = Placed::Kind::Max;
    auto more = unused.find(placements);
    if (more != unused.end() && more->second == results) return true;
    placed.kind = Placed::Kind::Replicate;
  }
  return false;
}

constexpr const char *kHead = R"(# Placements that no rule uses
Every operator was run on two ranks with every combination of `Replicate`, `Shard(dimension)`, `Partial(sum)` and
`Partial(max)` of its operands, by value and without any rule (`tests/compiler/sharding/unused_placements_test.cpp`;
`UPDATE_GOLDEN=1` rewrites this page). What the rules allow is run on the same operators by
`operator_placements_test.cpp`. Listed here is what was right and is not allowed: there a reshard comes first that could
come later. An operand that may be Partial(max) may be Replicate, too.

- **Partial(max)** is a placement of reductions within an operator only: cross-entropy, softmax, maxima. Sharded
  transformers leave sums Partial.
- **Values of attention** (`Partial(sum)`, or `Shard(3)`, the value's head dimension): tp takes heads, so V is whole in
  that dimension, and no sum of it is Partial.
- **Keys of attention's gradient** (`Shard(1)`): the sequence of keys, given the log-sum-exp of all of them. Context
  parallelism, which the compiler does not offer, would begin there.
- **Scales, biases and rotary tables** are parameters or constants, which are never Partial.
- **where** of two Partial branches, and **swiglu** of a Partial `up`: the branches, and the product before, are reduced
  first.

| operands | results | operators |
|---|---|---|
)";

TEST(UnusedPlacements, AreListed) {
  std::mt19937 random(3);
  std::map<std::string, std::set<std::string>> rows; // "operands | results": operators
  for (const OperatorCall &call : operatorCalls()) {
    auto unused = unusedOf(call, random);
    for (const auto &[placements, results] : unused) {
      if (isSpecialCase(placements, results, unused)) continue;
      std::string operands;
      for (Placed placed : placements)
        operands += (operands.empty() ? "" : ", ") + placed.text();
      rows["| " + operands + " | " + results + " | "].insert(call.op);
    }
  }
  std::string page = kHead;
  for (const auto &[row, operators] : rows)
    page += row + llvm::join(operators, ", ") + " |\n";
  expectGolden("docs/placements.md", page);
}

/// The rows that are not run above work on what partition and the optimizer make: flat slices, and whole scalars; or
/// are products with what followed them, fused after partition; wrap_index is of integers, which are never partial.
TEST(UnusedPlacements, NoOperatorIsLeftOut) {
  std::set<std::string> run, left;
  for (const OperatorCall &call : operatorCalls())
    run.insert(call.op);
  for (const OpDef *row : allOps())
    if (!run.count(row->name)) left.insert(row->name);
  EXPECT_EQ(left, (std::set<std::string>{"accumulate",
                                         "adagrad",
                                         "adam",
                                         "all_gather",
                                         "all_gather_into",
                                         "all_reduce",
                                         "copy",
                                         "cross_entropy_finish",
                                         "cross_entropy_local",
                                         "full",
                                         "grad_scale",
                                         "loss_scale",
                                         "matmul_bias",
                                         "matmul_bias_gelu",
                                         "matmul_gelu_grad",
                                         "momentum",
                                         "reduce_scatter",
                                         "sgd",
                                         "sum_squares",
                                         "wrap_index"}));
}

} // namespace
} // namespace autotp::test
