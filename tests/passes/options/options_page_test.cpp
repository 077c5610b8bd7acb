// The documents' tables of options are the rows. UPDATE_GOLDEN=1 rewrites them.
#include "passes/options/option_rows.h"
#include "passes/options/options_page.h"
#include "tests/golden/expect_golden.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

TEST(OptionsPage, IsCurrent) { expectGolden("docs/options.md", optionsPage()); }

TEST(OptionsPage, TheReadmesTableIsCurrent) {
  const std::string path = "README.md", file = std::string(AUTOTP_SOURCE_DIR) + "/" + path;
  const llvm::StringRef begin = "<!-- options: written by tests/passes/options/options_page_test.cpp -->\n",
                        end = "<!-- end of options -->\n";
  auto readme = llvm::MemoryBuffer::getFile(file);
  ASSERT_TRUE(bool(readme));
  auto [before, rest] = (*readme)->getBuffer().split(begin);
  const size_t after = rest.find(end);
  ASSERT_TRUE(after != llvm::StringRef::npos) << "README.md lacks the lines around the table";
  expectGolden(path, (before + begin + flagTable() + rest.drop_front(after)).str());
}

TEST(OptionsPage, DefaultsAreTheMembers) {
  EXPECT_EQ(defaultOf(optionNamed("zero")), "2");
  EXPECT_EQ(defaultOf(optionNamed("bucket-mb")), "25");
  EXPECT_EQ(defaultOf(optionNamed("shard")), "auto");
  EXPECT_EQ(defaultOf(optionNamed("eps")), "adamw, adam 1e-8; adagrad 1e-10");
  EXPECT_EQ(defaultOf(optionNamed("train")), "");
  EXPECT_EQ(helpOf(optionNamed("tp")), "ranks of tensor parallelism (default: 1)");
  EXPECT_EQ(usageOf(optionNamed("shard")), "--shard auto|all");
}

} // namespace
} // namespace autotp::test
