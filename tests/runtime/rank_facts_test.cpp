/// \file Ranks that have something else than rank 0 are named, with all in which they differ.
#include "runtime/comm/launch/rank_facts.h"

#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

std::string said(const std::vector<RankFacts> &byRank) {
  llvm::Error error = checkAgreement(byRank);
  return error ? describe(std::move(error)) : "";
}

TEST(RankFacts, ThatAgree) {
  EXPECT_EQ(said({{}}), "");
  EXPECT_EQ(said({{{"plan", "a"}, {"--lr", "1"}}, {{"plan", "a"}, {"--lr", "1"}}}), "");
}

TEST(RankFacts, ThatDiffer) {
  const RankFacts first = {{"plan", "a"}, {"--lr", "1"}, {"--steps", "5"}};
  EXPECT_EQ(said({first, {{"plan", "b"}, {"--lr", "2"}, {"--steps", "5"}}, first, {{"plan", "a"}, {"--seed", "\x1b"}}}),
            "error: meeting of ranks: rank 1 has --lr 2 (rank 0: --lr 1), another plan; rank 3 has no --lr (rank 0: "
            "--lr 1), --seed \\x1B (rank 0: no --seed), no --steps (rank 0: --steps 5)\n"
            "  do:  start all ranks with one command, one plan and one build of autotp-run");
}

TEST(RankFacts, AsJson) {
  const RankFacts facts = {{"plan", "a"}, {"--data", "x\xff"}};
  RankFacts read;
  llvm::json::Path::Root root;
  ASSERT_TRUE(llvm::json::fromJSON(llvm::json::Value(toJson(facts)), read, root));
  EXPECT_EQ(read.at("plan"), "a");
  EXPECT_EQ(read.size(), 2u); // a name that is no UTF-8 is compared as far as it is
}

} // namespace
} // namespace autotp
