/// \file Errors as users read them.
#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

TEST(Error, EachIsALineWithWhatToDo) {
  EXPECT_EQ(describe(llvm::joinErrors(problem("--lr", "it is negative", "give one above 0"), problem("", "no plan"))),
            "error: --lr: it is negative\n  do:  give one above 0\nerror: no plan");
}

TEST(Error, WhatTwoTriesMetIsSaidOnce) {
  auto same = [] { return problem("node 'a'", "it is not supported"); };
  EXPECT_EQ(describe(llvm::joinErrors(llvm::joinErrors(same(), problem("node 'b'", "neither")), same())),
            "error: node 'a': it is not supported\nerror: node 'b': neither");
}

} // namespace
} // namespace autotp
