#include "runtime/base/digest.h"
#include "tests/runtime/temporary_file.h"

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

/// More of them than are read at once.
TEST(Digests, ChangedFilesAreFound) {
  const test::TemporaryFolder folder;
  std::vector<FileDigest> files;
  for (int i = 0; i < 20; ++i) {
    const std::string text = "text " + std::to_string(i);
    files.push_back({folder.write(std::to_string(i), text), digestOf(text)});
  }
  EXPECT_EQ(changedFiles(files), std::vector<size_t>{});
  folder.write("3", "another text");
  std::filesystem::remove(files[17].path);
  EXPECT_EQ(changedFiles(files), (std::vector<size_t>{3, 17}));
  EXPECT_EQ(changedFiles({}), std::vector<size_t>{});
}

} // namespace
} // namespace autotp
