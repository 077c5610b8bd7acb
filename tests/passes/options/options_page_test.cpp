// The documents' tables of options are the rows. UPDATE_GOLDEN=1 rewrites them.
#include "passes/options/compile_row.h"
#include "passes/options/option_rows.h"
#include "passes/options/options_page.h"
#include "runtime/options/option_tables.h"
#include "runtime/train/train_rows.h"
#include "tests/golden/expect_golden.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

TEST(OptionsPage, IsCurrent) { expectGolden("docs/options.md", optionsPage(trainSections())); }

/// The readme with this table between the lines that name the program.
std::string withTable(llvm::StringRef readme, llvm::StringRef program, const std::string &table) {
  const std::string begin =
      ("<!-- options of " + program + ": written by tests/passes/options/options_page_test.cpp -->\n").str();
  auto [before, rest] = readme.split(begin);
  const size_t after = rest.find("<!-- end of options -->\n");
  EXPECT_TRUE(after != llvm::StringRef::npos) << "README.md lacks the lines around the table of " << program.str();
  return (before + begin + table + rest.substr(after)).str();
}

TEST(OptionsPage, TheReadmesTablesAreCurrent) {
  auto file = llvm::MemoryBuffer::getFile(AUTOTP_SOURCE_DIR "/README.md");
  ASSERT_TRUE(bool(file));
  std::string readme = withTable((*file)->getBuffer(), "autotp-compile", flagTable(optionSections()));
  readme = withTable(readme, "autotp-run", flagTable(trainSections()));
  expectGolden("README.md", readme);
}

TEST(OptionsPage, DefaultsAreTheMembers) {
  EXPECT_EQ(defaultOf(optionNamed("zero")), "2");
  EXPECT_EQ(defaultOf(optionNamed("bucket-mb")), "25");
  EXPECT_EQ(defaultOf(optionNamed("shard")), "auto");
  EXPECT_EQ(defaultOf(optionNamed("weights")), "auto");
  EXPECT_EQ(defaultOf(optionNamed("eps")), "adamw, adam 1e-8; adagrad 1e-10");
  EXPECT_EQ(defaultOf(optionNamed("train")), "");
  EXPECT_EQ(helpOf(optionNamed("tp")), "ranks of tensor parallelism (default: 1)");
  EXPECT_EQ(usageOf(optionNamed("shard")), "--shard auto|all");
}

} // namespace
} // namespace autotp::test
