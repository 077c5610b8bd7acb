/// \file What is mapped, and what is not even opened.
#include "runtime/base/error.h"
#include "runtime/base/input_file.h"
#include "tests/runtime/temporary_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace autotp {
namespace {

using namespace test;

std::string saidOf(const std::string &path) {
  auto file = mapFile("a", path, "name another");
  return file ? "" : describe(file.takeError());
}

TEST(InputFile, RegularFilesAndLinksToThemAreMapped) {
  TemporaryFolder folder;
  for (const std::string &bytes : {std::string(), std::string("few"), std::string(100000, 'x')}) {
    const std::string path = folder.write("a", bytes);
    std::filesystem::remove(folder.path() + "/link");
    std::filesystem::create_symlink(path, folder.path() + "/link");
    for (const std::string &name : {path, folder.path() + "/link"}) {
      auto file = mapFile(name);
      ASSERT_TRUE(bool(file)) << describe(file.takeError());
      EXPECT_EQ((*file)->getBuffer().str(), bytes);
    }
  }
}

/// Nobody writes to the FIFO, and the devices have no end.
TEST(InputFile, NothingElseIsOpened) {
  TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder.path() + "/fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink("/dev/zero", folder.path() + "/link");
  for (const std::string &path : {folder.path() + "/fifo", folder.path() + "/link", std::string("/dev/zero")})
    EXPECT_EQ(saidOf(path).find("error: a: it is no regular file"), 0u) << path << saidOf(path);
  EXPECT_EQ(saidOf(folder.path()).find("error: a: it is a folder"), 0u) << saidOf(folder.path());
  EXPECT_EQ(saidOf(folder.path() + "/none"),
            "error: a: it cannot be read: No such file or directory\n  do:  name another");
  folder.write("w", "");
  EXPECT_EQ(saidOf(folder.path() + "/w" + std::string(1, '\0') + "x"),
            "error: a: it cannot be read: its name holds a NUL\n  do:  name another");
}

} // namespace
} // namespace autotp
