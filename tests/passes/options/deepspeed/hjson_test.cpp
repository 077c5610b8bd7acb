// Comments and trailing commas become blanks; strings and positions stay.
#include "passes/options/deepspeed/hjson.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

TEST(Hjson, CommentsAreBlanks) {
  EXPECT_EQ(withoutComments("{ // one\n \"a\": 1 # two\n}"), "{       \n \"a\": 1      \n}");
  EXPECT_EQ(withoutComments("[1, /* \"no\n string */ 2]"), "[1,       \n           2]");
  EXPECT_EQ(withoutComments("# only"), "      ");
  EXPECT_EQ(withoutComments("1 /**/ 2 //"), "1      2   ");
  EXPECT_EQ(withoutComments("{\r\n// a\r\n}"), "{\r\n    \r\n}");
}

TEST(Hjson, TrailingCommasAreBlanks) {
  EXPECT_EQ(withoutComments("[1, 2,]"), "[1, 2 ]");
  EXPECT_EQ(withoutComments("{\"a\": [1,\n], // last\n}"), "{\"a\": [1 \n]         \n}");
  EXPECT_EQ(withoutComments("[,]"), "[ ]");
  EXPECT_EQ(withoutComments("[1,,]"), "[1, ]"); // which is no JSON, and stays none
}

TEST(Hjson, StringsStay) {
  for (llvm::StringRef text : {R"({"a": "// no", "b#": "/* no */", "c": "x,]"})", R"(["\"// no", "\\", 1])",
                               R"(["ends never // no)", "", "{}"})
    EXPECT_EQ(withoutComments(text), text);
}

/// A comment that does not end is what the parser complains of, at its place.
TEST(Hjson, MistakesKeepTheirPlaces) {
  EXPECT_EQ(withoutComments("{} /* no end"), "{} /* no end");
  auto value = llvm::json::parse(withoutComments("{ // one\n  \"a\": 1, # two\n  \"b\" 2\n}"));
  ASSERT_FALSE(bool(value));
  EXPECT_EQ(llvm::toString(value.takeError()).find("[3:7"), 0u);
}

} // namespace
} // namespace autotp
