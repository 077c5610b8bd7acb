#include "runtime/base/digest.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

/// What xxh128sum prints.
TEST(Digests, KnownAnswers) {
  EXPECT_EQ(digestOf(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(digestOf("autotp"), "ed5af046078a589bcaab7a311e3ecbc1");
  EXPECT_EQ(digestOf(std::string(1000000, 'x')), "408b717d132ab248ef02eeb2d3625399");
}

TEST(Digests, OfPiecesAreThoseOfTheWhole) {
  const std::string text(1000, 'x');
  for (size_t piece : {1, 7, 999}) {
    Digest digest;
    for (size_t at = 0; at < text.size(); at += piece)
      digest.add(llvm::StringRef(text).substr(at, piece));
    EXPECT_EQ(digest.text(), digestOf(text));
  }
}

} // namespace
} // namespace autotp
