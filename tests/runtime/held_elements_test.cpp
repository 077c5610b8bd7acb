#include "runtime/plan/held_elements.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

using Ranges = std::vector<std::pair<int64_t, int64_t>>;

/// A parameter of which a rank holds these ranges of each dimension.
plan::Parameter parameterOf(const std::vector<int64_t> &shape, const std::vector<Ranges> &held) {
  plan::Parameter parameter;
  for (size_t d = 0; d < shape.size(); ++d) {
    parameter.add_global_shape(shape[d]);
    plan::Cover *cover = parameter.add_covers();
    int64_t size = 0;
    for (const auto &[begin, end] : held[d]) {
      cover->add_begins(begin);
      cover->add_ends(end);
      size += end - begin;
    }
    parameter.mutable_tensor()->add_shape(size);
  }
  return parameter;
}

TEST(HeldElements, RunsAreTheElementsInTheirOrder) {
  for (const plan::Parameter &parameter :
       {parameterOf({}, {}), parameterOf({6}, {{{0, 6}}}), parameterOf({4, 6}, {{{0, 4}}, {{0, 6}}}),
        parameterOf({4, 6}, {{{1, 3}}, {{0, 6}}}), parameterOf({4, 6}, {{{0, 4}}, {{3, 6}}}),
        parameterOf({3, 8, 2}, {{{0, 3}}, {{0, 2}, {4, 6}}, {{0, 2}}}), parameterOf({4, 2}, {{}, {{0, 2}}})})
    for (int64_t enough : {1, 5, 1000}) {
      std::vector<std::pair<int64_t, int64_t>> each, ofRuns;
      forEachHeld(parameter, [&](int64_t local, int64_t global, auto) { each.push_back({local, global}); });
      for (const HeldRun &run : heldRuns(parameter, enough))
        for (int64_t i = 0; i < run.count; ++i)
          ofRuns.push_back({run.local + i, run.global + i});
      EXPECT_EQ(ofRuns, each) << parameter.ShortDebugString();
    }
}

TEST(HeldElements, RunsAreJoined) {
  EXPECT_EQ(heldRuns(parameterOf({4, 6}, {{{1, 3}}, {{0, 6}}}), 1000).size(), 1u);
  EXPECT_EQ(heldRuns(parameterOf({4, 6}, {{{0, 4}}, {{0, 6}}}), 12).size(), 2u);
}

} // namespace
} // namespace autotp
