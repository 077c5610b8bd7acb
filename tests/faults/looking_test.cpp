// What autotp-plan says of plans: all in which two of them differ, and equal ranks once.
#include "tests/faults/command.h"

namespace autotp::test {
namespace {

class LookingIntoPlans : public Commands {
protected:
  void compile(const std::string &plan, const std::string &flags) const {
    succeeds("autotp-compile @/mlp/model.onnx --tp 2 --dp 2 --shard all --micro-batch 2 " + flags + " -o {}/" + plan);
  }
  std::string said(const std::string &arguments) const {
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.code, 0) << ended.err;
    return ended.out;
  }
};

TEST_F(LookingIntoPlans, DiffComparesAllThatAProgramDoes) {
  compile("a", "");
  compile("same", "");
  EXPECT_EQ(said("autotp-plan diff {}/a {}/same"), "rank 0 runs the same program\n");
  compile("decay", "--weight-decay 0.5 --clip-grad-norm 1");
  const std::string decay = said("autotp-plan diff {}/a {}/decay");
  for (const char *part : {"decay_before=0.5", "max_norm=1", "\"weight_decay\": 0.5"})
    EXPECT_NE(decay.find(part), std::string::npos) << part << " in " << decay;
  compile("rate", "--lr 1e-5");
  const std::string rate = said("autotp-plan diff {}/a {}/rate");
  EXPECT_NE(rate.find("\"learning_rate\": 1"), std::string::npos) << rate;
  EXPECT_NE(rate.find("rank 0 runs the same program, but the plans differ in what is said above"), std::string::npos);
}

TEST_F(LookingIntoPlans, MemoryOfEqualRanksIsSaidOnce) {
  compile("plan", "");
  const std::string memory = said("autotp-plan memory {}/plan");
  EXPECT_NE(memory.find("ranks 0, 2: "), std::string::npos) << memory;
  EXPECT_NE(memory.find("ranks 1, 3: "), std::string::npos) << memory;
}

} // namespace
} // namespace autotp::test
