// Every model of the repository at tp 1 to 4: a right plan is proven, and what cannot be at some tp says why.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pipeline.h"
#include "runtime/base/error.h"
#include "tests/equivalence/fixture.h"
#include "tests/fixtures/run_fixture.h"

#include "llvm/Support/FileSystem.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

/// models/* and tests/fixtures/*, as folderOf() names them.
std::vector<std::string> everyModel() {
  std::vector<std::string> names;
  for (const char *root : {"models", "tests/fixtures"}) {
    std::error_code code;
    for (llvm::sys::fs::directory_iterator at(std::string(AUTOTP_SOURCE_DIR) + "/" + root, code), end;
         at != end && !code; at.increment(code)) {
      if (!llvm::sys::fs::exists(at->path() + "/expected.json")) continue;
      names.push_back(std::string(root) + "/" + llvm::StringRef(at->path()).rsplit('/').second.str());
    }
  }
  llvm::sort(names);
  return names;
}

class EveryModel : public testing::TestWithParam<std::string> {};

TEST_P(EveryModel, IsProven) {
  llvm::StringRef name = GetParam();
  const bool isFixture = name.consume_front("tests/fixtures/");
  CompileOptions options = fixtureOptions(name.str());
  const Expected expected = readExpected(name.str());
  for (const auto &[dimension, size] : expected.sizes)
    options.import.shapes[dimension] = size;
  if (!isFixture) options.import.microBatch = expected.globalBatch;
  for (int tp : {1, 2, 3, 4}) {
    options.step.tp = tp;
    llvm::Expected<CompiledModel> compiled = compile(options);
    ASSERT_TRUE(bool(compiled)) << "tp " << tp << ": " << describe(compiled.takeError());
    ASSERT_TRUE(compiled->certificate) << "tp " << tp;
    EXPECT_EQ(compiled->certificate->programs, tp);
  }
}

INSTANTIATE_TEST_SUITE_P(Certify, EveryModel, testing::ValuesIn(everyModel()), [](const auto &info) {
  std::string text = info.param;
  for (char &c : text)
    if (!llvm::isAlnum(c)) c = '_';
  return text;
});

} // namespace
} // namespace autotp::test
