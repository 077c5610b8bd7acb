/// \file Which patterns are used, and which would take any memory, any time or the stack.
#include "runtime/base/bounded_regex.h"

#include "llvm/ADT/StringRef.h"

#include <chrono>
#include <gtest/gtest.h>

namespace autotp {
namespace {

std::string repeated(const std::string &text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i)
    all += text;
  return all;
}

TEST(BoundedRegex, PatternsOfPeopleAreUsed) {
  for (const char *text : {"attn", ".*q_proj.*", R"(layers\.[0-9]+\.(attn|mlp)\.)", "^(a|b){2,5}$", "[]{(]+x", "[^]({]",
                           "[[:alpha:]({]", "a{3}", "(((x)))", R"(\(\{)", "lora_[AB]"})
    EXPECT_EQ(faultOfRegex(text), "") << text;
}

TEST(BoundedRegex, FaultsAreNamed) {
  EXPECT_EQ(faultOfRegex("(a"), "is no regular expression: parentheses not balanced");
  EXPECT_EQ(faultOfRegex(R"((a*)*\1)"), "refers back to a group, which is not supported");
  for (const char *text : {"a)", "[a", "*", "a{5,2}", "", "\\"})
    EXPECT_NE(faultOfRegex(text), "") << text;
}

TEST(BoundedRegex, SizeIsBoundedBeforeAnythingIsMade) {
  const auto begin = std::chrono::steady_clock::now();
  for (const std::string &text : std::vector<std::string>{
           repeated("(", 100000), repeated("(", 100000) + "a" + repeated(")", 100000), repeated("[", 100000),
           repeated("(", 3) + "a" + repeated("{255})", 3), repeated("((a|b)", 20) + repeated("{2,99})", 20),
           repeated("a", 100000), "a{99999999999999999999}", "(a{200}b{200}){200}",
           repeated("(", 51) + repeated(")", 51)})
    EXPECT_NE(faultOfRegex(text), "") << llvm::StringRef(text).take_front(60).str();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

} // namespace
} // namespace autotp
