/// \file The axes of every operator, one line for each call of tests/compiler/sharding/operator_axes.txt, by name:
/// its operands and attributes, the term of each dimension, and what else its row says of the axes. UPDATE_GOLDEN=1
/// rewrites the file.
#include "runtime/base/indexed.h"
#include "tests/compiler/sharding/operator_example.h"
#include "tests/golden/expect_golden.h"

#include "llvm/ADT/StringExtras.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace autotp::test {
namespace {

/// Names leaves a, b, .. in the order in which they are asked for.
class Line {
public:
  explicit Line(const OperatorCall &call) : one_(call), terms_(one_.axes.nodes[one_.node].terms) {}

  std::string text() {
    const Node &node = one_.graph.node(one_.node);
    std::string line = node.op.str();
    for (ValueId operand : node.operands)
      line += " " + one_.graph.type(operand).text();
    line += attributes(node) + " :";
    for (const auto &in : terms_.ins)
      line += " " + dimensions(in);
    line += " ->";
    for (const auto &out : terms_.outs)
      line += " " + dimensions(out);
    for (const auto &[j, summed] : indexed(terms_.contracted))
      if (!summed.empty()) line += ", result " + std::to_string(j) + " sums over " + list(summed);
    for (auto [axis, what] :
         {std::pair(terms_.lookup, "looked up"), {terms_.scatter, "scattered"}, {terms_.classes, "classes"}})
      if (axis != kNoAxis) line += std::string(", ") + what + " " + name(axis);
    if (!terms_.within.empty()) line += ", reduced within " + list(terms_.within);
    std::set<std::string> whole; // without their reasons, which the row's text has
    for (const auto &[axis, reason] : terms_.whole)
      if (axis != kNoAxis) whole.insert(name(axis));
    if (!whole.empty()) line += ", whole " + llvm::join(whole, " ");
    return line;
  }

private:
  static std::string attributes(const Node &node) {
    std::string text;
    for (const auto &[key, value] : node.attributes.all()) {
      text += (text.empty() ? " {" : ", ") + key + "=";
      if (const auto *integer = std::get_if<int64_t>(&value))
        text += std::to_string(*integer);
      else if (const auto *list = std::get_if<llvm::SmallVector<int64_t, 6>>(&value))
        text += "[" + llvm::join(llvm::map_range(*list, [](int64_t v) { return std::to_string(v); }), ",") + "]";
      else
        text += "..";
    }
    return text.empty() ? "" : text + "}";
  }

  std::string name(AxisId axis) {
    return one_.axes.arena.text(axis, [&](AxisId leaf) {
      auto [at, isNew] = names_.try_emplace(one_.axes.arena.find(leaf), names_.size());
      return std::string(1, char('a' + at->second));
    });
  }
  std::string list(llvm::ArrayRef<AxisId> axes) {
    return llvm::join(llvm::map_range(axes, [&](AxisId axis) { return axis == kNoAxis ? "1" : name(axis); }), " ");
  }
  std::string dimensions(llvm::ArrayRef<AxisId> axes) { return "[" + list(axes) + "]"; }

  const OneOperator one_;
  const IndexTerms &terms_;
  std::map<AxisId, size_t> names_;
};

TEST(OperatorAxes, AsText) {
  std::set<std::string> lines;
  for (const OperatorCall &call : operatorCalls())
    lines.insert(Line(call).text());
  expectGolden("tests/compiler/sharding/operator_axes.txt", llvm::join(lines, "\n") + "\n");
}

} // namespace
} // namespace autotp::test
