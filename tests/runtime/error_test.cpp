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

/// A message may have taken over what a file holds: no terminal may obey it.
TEST(Error, ControlCharactersAreEscaped) {
  EXPECT_EQ(describe(problem("key '\x1b[31m'",
                             "it is \xc2\x9b"
                             "1m\x7f, \a\r\n    \xc3\xa9",
                             "none\b")),
            "error: key '\\x1b[31m': it is \\x9b1m\\x7f, \\x07\\x0d\n    \xc3\xa9\n  do:  none\\x08");
  EXPECT_EQ(describe(llvm::createStringError(llvm::inconvertibleErrorCode(), "a\x1b")), "error: a\\x1b");
}

} // namespace
} // namespace autotp
