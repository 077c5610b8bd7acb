// The loss of the global batch, as text: statistics, scaled sums and counts, and what stays a micro-batch's.
#include "passes/partition/bind_batch.h"

#include "compiler/ir/print.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/parsed_graph.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

struct Made {
  std::string text;
  LossTerms terms;
};

/// With two micro-batches of the size that the graph has, or of `microBatch`.
llvm::Expected<Made> made(const std::string &lines, int64_t microBatch = 0, int64_t microBatches = 2) {
  Graph graph =
      parsed("graph {\n  input %x : f32[4,6]\n  input %m : f32[4,6]\n  parameter %w : f32[6]\n" + lines + "}\n");
  llvm::Expected<LossTerms> terms = bindBatch(graph, microBatch, microBatches, {});
  if (!terms) return terms.takeError();
  Made result{{}, std::move(*terms)};
  llvm::raw_string_ostream os(result.text);
  print(graph, os);
  return result;
}

void expectContains(const Made &made, llvm::ArrayRef<const char *> wanted) {
  for (const char *text : wanted)
    EXPECT_NE(made.text.find(text), std::string::npos) << text << " is missing in\n" << made.text;
}

const std::string kLosses = "  %q = mul(%x, %w) : f32[4,6]\n  %l = mul(%q, %m) : f32[4,6]\n"
                            "  %t = reduce_sum(%l) {axes=[0,1], keepdims=0} : f32[]\n";

TEST(GlobalLoss, DividesByTheMaskOfAllMicroBatches) {
  auto m = made(kLosses + "  %n = reduce_sum(%m) {axes=[0,1], keepdims=0} : f32[]\n"
                          "  %loss = div(%t, %n) : f32[]\n  return loss=%loss\n");
  ASSERT_TRUE(bool(m)) << describe(m.takeError());
  EXPECT_EQ(m->terms.statistics, 1u);
  EXPECT_FALSE(m->terms.isSum);
  expectContains(*m, {"constant %c : f32[] = {2}", "%mul_2 = mul(%t, %c)", "state %batch_statistic.0 : f32[]",
                      "%loss = div(%mul_2, %batch_statistic.0)", "return loss=%loss, batch_statistic.0=%n"});
}

TEST(GlobalLoss, BoundsTheGlobalSum) {
  auto m = made(kLosses + "  constant %one : f32[] = {1}\n  %n = reduce_sum(%m) {axes=[0,1], keepdims=0} : f32[]\n"
                          "  %b = max(%n, %one) : f32[]\n  %loss = div(%t, %b) : f32[]\n  return loss=%loss\n");
  ASSERT_TRUE(bool(m)) << describe(m.takeError());
  expectContains(*m, {"%b = max(%batch_statistic.0, %one)", "%loss = div(%mul_2, %b)"});
}

TEST(GlobalLoss, CountsAreOfTheGlobalBatch) {
  auto m = made(kLosses + "  constant %k : f32[] = {24}\n  %loss = div(%t, %k) : f32[]\n  return loss=%loss\n");
  ASSERT_TRUE(bool(m)) << describe(m.takeError());
  EXPECT_EQ(m->terms.statistics, 0u);
  expectContains(*m, {"= {48}", "%mul_2 = mul(%t, %c)"});
  auto smaller =
      made(kLosses + "  constant %k : f32[] = {24}\n  %loss = div(%t, %k) : f32[]\n  return loss=%loss\n", 1);
  ASSERT_TRUE(bool(smaller)) << describe(smaller.takeError());
  expectContains(*smaller, {"input %x : f32[1,6]", "= {12}"});
}

TEST(GlobalLoss, WhatIsDividedByNothingIsASum) {
  auto m = made(kLosses + "  return loss=%t\n");
  ASSERT_TRUE(bool(m)) << describe(m.takeError());
  EXPECT_TRUE(m->terms.isSum);
  expectContains(*m, {"return loss=%mul"});
}

TEST(GlobalLoss, WhatItIsNotLinearInStaysAMicroBatchs) {
  const std::string root = kLosses + "  %n = reduce_sum(%m) {axes=[0,1], keepdims=0} : f32[]\n"
                                     "  %d = div(%t, %n) : f32[]\n  %loss = sqrt(%d) : f32[]\n  return loss=%loss\n";
  auto m = made(root);
  ASSERT_TRUE(bool(m)) << describe(m.takeError());
  EXPECT_EQ(m->terms.statistics, 0u);
  EXPECT_EQ(m->terms.ofMicroBatches.size(), 1u);
  expectContains(*m, {"%d = div(%t, %n)", "return loss=%loss\n"});
}

TEST(GlobalLoss, ParametersAloneCountOnce) {
  auto m = made(kLosses + "  %n = reduce_sum(%m) {axes=[0,1], keepdims=0} : f32[]\n  %d = div(%t, %n) : f32[]\n"
                          "  %s = mul(%w, %w) : f32[6]\n  %r = reduce_sum(%s) {axes=[0], keepdims=0} : f32[]\n"
                          "  %loss = add(%d, %r) : f32[]\n  return loss=%loss\n");
  ASSERT_TRUE(bool(m)) << describe(m.takeError());
  expectContains(*m, {"%d = div(%mul_3, %batch_statistic.0)", "%loss = add(%d, %r)"});
}

/// What both a term of the global batch and a micro-batch's function divide by a sum over the batch.
TEST(GlobalLoss, RefusesWhatTwoKindsOfTermsShare) {
  auto m = made("  %n = reduce_sum(%m) {axes=[0,1], keepdims=0} : f32[]\n  %v = div(%m, %n) : f32[4,6]\n"
                "  %q = mul(%x, %w) : f32[4,6]\n  %l = mul(%q, %v) : f32[4,6]\n"
                "  %t = reduce_sum(%l) {axes=[0,1], keepdims=0} : f32[]\n  %e = exp(%t) : f32[]\n"
                "  %loss = add(%t, %e) : f32[]\n  return loss=%loss\n");
  ASSERT_FALSE(bool(m));
  EXPECT_NE(describe(m.takeError()).find("in which the loss is not linear"), std::string::npos);
}

} // namespace
} // namespace autotp
