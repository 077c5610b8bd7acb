// A Partial sum that nothing pays for is refused where placements are verified.
#include "passes/shard/check_reductions.h"

#include "compiler/sharding/find_axes.h"
#include "passes/shard/place_reductions.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/parsed_graph.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

const char *const kMlp = R"(graph {
  input %x : f32[2,8]
  parameter %w1 : f32[8,32]
  parameter %w2 : f32[32,8]
  %h = matmul(%x, %w1) {trans_a=0, trans_b=0} : f32[2,32]
  %a = relu(%h) : f32[2,32]
  %y = matmul(%a, %w2) {trans_a=0, trans_b=0} : f32[2,8]
  %z = neg(%y) : f32[2,8]
  %e = exp(%z) : f32[2,8]
  return z=%z, e=%e
}
)";

class CheckReductions : public testing::Test {
protected:
  CheckReductions() {
    const AxisId features = axes_.arena.find(axes_.values[named("w1")][1]);
    assignment_.assign(features, evenIntervals(axes_.arena.size(features), /*tp=*/2));
    reductions_ = placeReductions(graph_, axes_, assignment_);
  }

  ValueId named(llvm::StringRef name) const {
    for (ValueId id = 0; id < graph_.numValues(); ++id)
      if (graph_.value(id).name == name) return id;
    return kNone;
  }
  std::string refusal() const { return describe(checkReductions(graph_, axes_, assignment_, reductions_, nullptr)); }

  Graph graph_ = parsed(kMlp);
  GraphAxes axes_ = findAxes(graph_);
  Assignment assignment_;
  Reductions reductions_;
};

TEST_F(CheckReductions, WhatWasPlacedIsRight) { EXPECT_EQ(refusal(), ""); }

TEST_F(CheckReductions, AnUnpaidSumIsRefusedAtEveryUse) {
  std::vector<ValueId> reduced;
  for (ValueId id = 0; id < graph_.numValues(); ++id)
    if (reductions_.isReduced[id]) reduced.push_back(id);
  ASSERT_EQ(reduced.size(), 1u) << "%y, or %z which is linear in it";
  reductions_.isReduced[reduced[0]] = false;
  reductions_.isPartial[named("z")] = true;
  EXPECT_EQ(refusal(), "error: exp '': its operand %z is a Partial sum over tp, which it cannot take\n"
                       "  do:  report this as a bug, with the model\n"
                       "error: output 'z': it is a Partial sum over tp that nothing reduces\n"
                       "  do:  report this as a bug, with the model");
}

TEST_F(CheckReductions, AResultThatForgetsThatItIsPartial) {
  reductions_.isPartial[named("y")] = true;
  reductions_.isReduced[named("y")] = false;
  reductions_.isPartial[named("z")] = reductions_.isReduced[named("z")] = false;
  EXPECT_EQ(refusal(), "error: neg '': it passes on a Partial sum, and its result is not marked as one\n"
                       "  do:  report this as a bug, with the model");
}

} // namespace
} // namespace autotp
