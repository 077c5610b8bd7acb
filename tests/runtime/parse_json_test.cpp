/// \file JSON that LLVM's parser would take, or not survive.
#include "runtime/base/parse_json.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

std::string faultOf(const std::string &text) {
  llvm::Expected<llvm::json::Value> value = parseJson(text);
  return value ? "" : llvm::toString(value.takeError());
}

TEST(ParseJson, NestingIsBounded) {
  for (const char *open : {"[", "{\"a\":", "[[{\"\\\\\":["}) {
    std::string text;
    for (int i = 0; i < 200000; ++i)
      text += open;
    EXPECT_EQ(faultOf(text), "it is nested too deeply");
  }
  EXPECT_EQ(faultOf(std::string(150, '[') + std::string(150, ']')), "");
  EXPECT_EQ(faultOf("[\"" + std::string(1000, '[') + "\"]"), "");
}

TEST(ParseJson, AKeyTwiceIsRefused) {
  EXPECT_EQ(faultOf(R"({"a": {"b": 1, "c": "a"}, "b": [{"b": 1}, {"b": 2}], "c": ["a", "a"]})"), "");
  EXPECT_EQ(faultOf(R"({"a": 1, "b": {"c": 1, "d": {"c": 2}, "c" : 3}})"), "it has 'c' twice in one object");
  EXPECT_EQ(faultOf(R"({"a": ",", "b": "a", "a": 2})"), "it has 'a' twice in one object");
  EXPECT_EQ(faultOf(R"({"a": 1, "\u0061": 2})"), "it has 'a' twice in one object");
  EXPECT_EQ(faultOf(R"({"a\"": 1, "a": 2})"), "");
}

TEST(ParseJson, NumbersAreFinite) {
  for (const char *text : {"1e999", "[1, -1e999]", R"({"a": {"b": [1e400]}})"})
    EXPECT_EQ(faultOf(text), "it has a number that is too large") << text;
  EXPECT_EQ(faultOf("[1e308, -1e308, 1e-999, 123456789012345678901234567890]"), "");
}

TEST(ParseJson, WhatIsNoJsonIsSaidByTheParser) {
  EXPECT_EQ(faultOf("{").find("it is no JSON: ["), 0u);
  for (const char *text : {"", "\"", "{\"", "{\"a\\", "]", "}}", "{\"a\":1,}"})
    EXPECT_EQ(faultOf(text).find("it is no JSON: "), 0u) << text;
}

} // namespace
} // namespace autotp
