// Which elements of an input look up which table.
#include "passes/import/input_bounds.h"

#include "tests/compiler/ir/parsed_graph.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

const char *const kSources = "graph {\n  input %x : i64[2,3]\n  parameter %users : f32[10,4]\n"
                             "  parameter %items : f32[99,4]\n  parameter %kinds : f32[5,4]\n";

/// "users<10: 0; items<99: 1 2; "; a bound for all places has no list.
std::string boundsOf(const std::string &lines) {
  Graph graph = graphOf(kSources + lines + "}\n");
  std::string text;
  for (const InputBound &bound : inputBounds(graph, graph.sources(ValueKind::Input)[0], 2)) {
    text += bound.of + "<" + std::to_string(bound.limit) + ":";
    for (int64_t place : bound.places)
      text += " " + std::to_string(place);
    text += "; ";
  }
  return text;
}

std::string column(const std::string &name, int start, int length) {
  return "  %" + name + " = slice(%x) {axis=1, length=" + std::to_string(length) + ", start=" + std::to_string(start) +
         ", step=1} : i64[2," + std::to_string(length) + "]\n";
}

TEST(InputBounds, ColumnsOfTablesOfDifferentSizes) {
  EXPECT_EQ(boundsOf(column("a", 0, 1) + column("b", 1, 2) +
                     "  %c = gather(%users, %a) : f32[2,1,4]\n  %d = gather(%items, %b) : f32[2,2,4]\n"
                     "  return c=%c, d=%d\n"),
            "users<10: 0; items<99: 1 2; ");
}

TEST(InputBounds, ElementsAreFollowedThroughMoves) {
  EXPECT_EQ(boundsOf("  %t = transpose(%x) {perm=[1,0]} : i64[3,2]\n"
                     "  %s = slice(%t) {axis=0, length=1, start=2, step=1} : i64[1,2]\n"
                     "  %r = reshape(%s) : i64[2]\n  %n = cast(%r) : i32[2]\n"
                     "  constant %zero : i32[2] = {0, 0}\n  %j = concat(%zero, %n) {axis=0} : i32[4]\n"
                     "  %c = gather(%kinds, %j) : f32[4,4]\n  %d = gather(%items, %x) : f32[2,3,4]\n"
                     "  return c=%c, d=%d\n"),
            "kinds<5: 2; items<99:; ");
}

TEST(InputBounds, OneBoundForAllIsNoList) {
  EXPECT_EQ(boundsOf(column("a", 0, 1) + "  %c = gather(%users, %a) : f32[2,1,4]\n"
                                         "  %d = gather(%users, %x) : f32[2,3,4]\n  return c=%c, d=%d\n"),
            "");
}

} // namespace
} // namespace autotp
