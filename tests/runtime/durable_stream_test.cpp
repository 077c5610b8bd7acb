// Files that reach the disk past the page cache are those that were written, or an error.
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/output_folder.h"
#include "tests/runtime/temporary_file.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace autotp::test {
namespace {

/// "" where it went well.
std::string errorOf(llvm::Error error) { return error ? describe(std::move(error)) : ""; }

std::string contentsOf(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

/// Of every length around the blocks and pieces in which it is written, and in writes that cross them.
TEST(DurableFiles, HoldWhatWasWritten) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/file";
  for (const size_t bytes : {size_t(0), size_t(1), size_t(4095), size_t(4096), size_t(4097), size_t(1) << 20,
                             (size_t(1) << 20) + 1, (size_t(3) << 20) + 8191}) {
    std::string text(bytes, '\0');
    for (size_t i = 0; i < bytes; ++i)
      text[i] = char(i * 2654435761u >> 11);
    auto write = [&](llvm::raw_ostream &os) {
      os << llvm::StringRef(text).take_front(bytes / 3);
      os << llvm::StringRef(text).drop_front(bytes / 3);
      EXPECT_EQ(os.tell(), bytes);
    };
    auto digest = writeNewFile(path, "shown", /*isDurable=*/true, write);
    ASSERT_TRUE(bool(digest)) << describe(digest.takeError());
    EXPECT_EQ(*digest, digestOf(text)) << bytes;
    EXPECT_EQ(digestOfFile(path), *digest) << bytes;
    EXPECT_TRUE(contentsOf(path) == text) << bytes;
    EXPECT_NE(errorOf(writeNewFile(path, "shown", /*isDurable=*/true, write).takeError()).find("shown: "),
              std::string::npos); // one that is there is not replaced
    std::filesystem::remove(path);
  }
}

/// A disk that takes no more, here by the process's limit, is an error and no signal.
TEST(DurableFiles, ThatDoNotFitAreAnError) {
  const TemporaryFolder folder;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{size_t(3) << 20, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string text(size_t(5) << 20, 'x');
  const std::string error =
      errorOf(writeNewFile(folder.path() + "/full", "full", /*isDurable=*/true, [&](llvm::raw_ostream &os) {
                os << text;
              }).takeError());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, ignored);
  EXPECT_NE(error.find("full: it cannot be written: File too large"), std::string::npos) << error;
}

} // namespace
} // namespace autotp::test
