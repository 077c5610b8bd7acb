// What an input means is read from where its values go.
#include "passes/import/input_roles.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/parsed_graph.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

const char *const kSources =
    "graph {\n  input %ids : i64[2,6]\n  input %other : i64[2,6]\n  parameter %table : f32[50,4]\n";

/// The roles of %ids and %other, or the error.
std::string rolesOf(const std::string &lines, const llvm::StringMap<std::string> &given = {}) {
  Graph graph = graphOf(kSources + lines + "}\n");
  llvm::Expected<std::vector<InputRole>> roles = inputRoles(graph, given);
  if (!roles) return describe(roles.takeError());
  std::string text;
  for (const InputRole &role : *roles) {
    text += role.role + (role.limit ? "<" + std::to_string(role.limit) : "") + " ";
    for (int64_t label : role.ignored)
      text += "or " + std::to_string(label) + " ";
  }
  return text;
}

const char *const kEmbed = "  %e = gather(%table, %ids) : f32[2,6,4]\n";

std::string attend(const std::string &mask) {
  return std::string(kEmbed) + "  %s = matmul(%e, %e) {trans_a=0, trans_b=1} : f32[2,6,6]\n" + mask +
         "  %p = softmax(%t) : f32[2,6,6]\n  return y=%p\n";
}

TEST(InputRoles, AMaskThatReachesTheScores) {
  EXPECT_EQ(rolesOf("  constant %big : f32[] = {-1e9}\n  constant %one : f32[] = {1}\n" +
                    attend("  %m = cast(%other) : f32[2,6]\n  %r = reshape(%m) : f32[2,1,6]\n"
                           "  %n = sub(%one, %r) : f32[2,1,6]\n  %b = mul(%n, %big) : f32[2,1,6]\n"
                           "  %t = add(%s, %b) : f32[2,6,6]\n")),
            "tokens<50 ones ");
  EXPECT_EQ(rolesOf("  constant %zero : i64[] = {0}\n  constant %low : f32[] = {-inf}\n" +
                    attend("  %r = reshape(%other) : i64[2,1,6]\n  %m = equal(%r, %zero) : bool[2,1,6]\n"
                           "  %t = where(%m, %low, %s) : f32[2,6,6]\n")),
            "tokens<50 ones ");
}

TEST(InputRoles, PositionsOfATableOrASine) {
  EXPECT_EQ(rolesOf("  parameter %places : f32[6,4]\n" + std::string(kEmbed) +
                    "  %f = gather(%places, %other) : f32[2,6,4]\n  %y = add(%e, %f) : f32[2,6,4]\n  return y=%y\n"),
            "tokens<50 positions<6 ");
  EXPECT_EQ(rolesOf(std::string(kEmbed) + "  constant %rate : f32[1,1,4] = {1, 0.1, 0.01, 0.001}\n"
                                          "  %m = cast(%other) : f32[2,6]\n  %r = reshape(%m) : f32[2,6,1]\n"
                                          "  %a = mul(%r, %rate) : f32[2,6,4]\n  %c = cos(%a) : f32[2,6,4]\n"
                                          "  %y = mul(%e, %c) : f32[2,6,4]\n  return y=%y\n"),
            "tokens<50 positions ");
}

TEST(InputRoles, ASmallerTableHoldsKindsOfTokens) {
  EXPECT_EQ(rolesOf("  parameter %kinds : f32[2,4]\n" + std::string(kEmbed) +
                    "  %f = gather(%kinds, %other) : f32[2,6,4]\n  %y = add(%e, %f) : f32[2,6,4]\n  return y=%y\n"),
            "tokens<50 data<2 ");
}

TEST(InputRoles, WhatCannotBeToldIsAnErrorUnlessItIsGiven) {
  std::string scaled = std::string(kEmbed) + "  %m = cast(%other) : f32[2,6]\n  %r = reshape(%m) : f32[2,6,1]\n"
                                             "  %y = mul(%e, %r) : f32[2,6,4]\n  return y=%y\n";
  EXPECT_NE(rolesOf(scaled).find("input 'other': what it means cannot be told"), std::string::npos) << rolesOf(scaled);
  llvm::StringMap<std::string> given;
  given["other"] = "ones";
  EXPECT_EQ(rolesOf(scaled, given), "tokens<50 ones ");
}

TEST(InputRoles, LabelsWhoseShiftLiesInTheGraphOrNot) {
  std::string loss = std::string(kEmbed) + "  parameter %head : f32[4,50]\n"
                                           "  %l = matmul(%e, %head) {trans_a=0, trans_b=0} : f32[2,6,50]\n";
  EXPECT_EQ(rolesOf(loss + "  %r = reshape(%l) : f32[12,50]\n  %t = reshape(%other) : i64[12]\n"
                           "  %y, %c, %z = cross_entropy(%r, %t) {ignore_index=-100} : f32[], f32[], f32[12]\n"
                           "  return y=%y\n"),
            "tokens<50 next-labels<50 ");
  EXPECT_EQ(rolesOf(loss + "  %k = slice(%l) {axis=1, length=5, start=0, step=1} : f32[2,5,50]\n"
                           "  %r = reshape(%k) : f32[10,50]\n"
                           "  %v = slice(%other) {axis=1, length=5, start=1, step=1} : i64[2,5]\n"
                           "  %t = reshape(%v) : i64[10]\n"
                           "  %y, %c, %z = cross_entropy(%r, %t) {ignore_index=-100} : f32[], f32[], f32[10]\n"
                           "  return y=%y\n"),
            "tokens<50 labels<50 ");
}

/// What picks an element of each row, by index or by comparing, whatever else becomes of it.
TEST(InputRoles, LabelsOfOtherLosses) {
  std::string counted = "{0"; // 0, 1, .., 49
  for (int c = 1; c < 50; ++c)
    counted += ", " + std::to_string(c);
  counted += "}\n";
  const std::string classes = "  constant %classes : i64[50] = " + counted;
  const std::string loss = std::string(kEmbed) +
                           "  parameter %head : f32[4,50]\n"
                           "  %z = matmul(%e, %head) {trans_a=0, trans_b=0} : f32[2,6,50]\n"
                           "  %l = log_softmax(%z) : f32[2,6,50]\n  %r = reshape(%other) : i64[2,6,1]\n";
  EXPECT_EQ(rolesOf(loss + "  %p = gather_elements(%l, %r) : f32[2,6,1]\n  return y=%p\n"),
            "tokens<50 next-labels<50 ");
  EXPECT_EQ(rolesOf(loss +
                    "  constant %ignored : i64[] = {-100}\n  constant %zero : i64[] = {0}\n"
                    "  constant %of_class : f32[50] = " +
                    counted +
                    "  %i = equal(%r, %ignored) : bool[2,6,1]\n  %t = where(%i, %zero, %r) : i64[2,6,1]\n"
                    "  %w = gather(%of_class, %t) : f32[2,6,1]\n"
                    "  %p = gather_elements(%l, %t) : f32[2,6,1]\n  %q = mul(%p, %w) : f32[2,6,1]\n"
                    "  return y=%q\n"),
            "tokens<50 next-labels<50 ");
  EXPECT_EQ(rolesOf(loss + classes +
                    "  %h = equal(%r, %classes) : bool[2,6,50]\n  %f = cast(%h) : f32[2,6,50]\n"
                    "  %q = mul(%l, %f) : f32[2,6,50]\n  return y=%q\n"),
            "tokens<50 next-labels<50 ");
  EXPECT_EQ(rolesOf(loss + classes + // a lookup by a product
                    "  %h = equal(%r, %classes) : bool[2,6,50]\n  %f = cast(%h) : f32[2,6,50]\n"
                    "  %k = matmul(%f, %table) {trans_a=0, trans_b=0} : f32[2,6,4]\n  return y=%k, z=%l\n"),
            "tokens<50 tokens<50 ");
  EXPECT_EQ(rolesOf(loss + "  constant %ignored : i64[] = {-100}\n  constant %zero : f32[] = {0}\n"
                           "  %i = equal(%r, %ignored) : bool[2,6,1]\n  %q = where(%i, %zero, %l) : f32[2,6,50]\n"
                           "  return y=%q\n"), // a mask
            "tokens<50 next-labels ");
}

/// A label that is no class, where the loss leaves it out or something takes its place.
TEST(InputRoles, LabelsThatAreIgnored) {
  const std::string loss = std::string(kEmbed) + "  parameter %head : f32[4,50]\n"
                                                 "  %l = matmul(%e, %head) {trans_a=0, trans_b=0} : f32[2,6,50]\n";
  auto entropy = [&](const std::string &ignored, const std::string &input) {
    return rolesOf(loss + "  %r = reshape(%l) : f32[12,50]\n  %t = reshape(%" + input +
                   ") : i64[12]\n  %y, %c, %z = cross_entropy(%r, %t) {ignore_index=" + ignored +
                   "} : f32[], f32[], f32[12]\n  return y=%y\n");
  };
  EXPECT_EQ(entropy("255", "other"), "tokens<50 next-labels<50 or 255 ");
  EXPECT_EQ(entropy("0", "other"), "tokens<50 next-labels<50 ") << "a class all the same";
  EXPECT_EQ(entropy("255", "ids"), "tokens<50 unused ") << "they are looked up too";
  auto picked = [&](const std::string &choice) {
    return rolesOf(loss +
                   "  constant %ignored : i64[] = {255}\n  constant %zero : i64[] = {0}\n"
                   "  %is = equal(%other, %ignored) : bool[2,6]\n  %not = not(%is) : bool[2,6]\n  %t = where(" +
                   choice +
                   ") : i64[2,6]\n  %r = reshape(%t) : i64[2,6,1]\n"
                   "  %p = gather_elements(%l, %r) : f32[2,6,1]\n  return y=%p\n");
  };
  EXPECT_EQ(picked("%is, %zero, %other"), "tokens<50 next-labels<50 or 255 ");
  EXPECT_EQ(picked("%not, %other, %zero"), "tokens<50 next-labels<50 or 255 ");
  EXPECT_EQ(picked("%not, %zero, %other"), "tokens<50 next-labels<50 ") << "only these are kept";
}

} // namespace
} // namespace autotp
