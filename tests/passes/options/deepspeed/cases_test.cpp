// Whole configurations with flags: what options they set, what they tell, and what stands in the way. The cases are those
// of cases.txt; UPDATE_GOLDEN=1 writes what follows "--" in each again.
#include "passes/options/compile_row.h"
#include "passes/options/option_rows.h"
#include "passes/options/read_options.h"
#include "runtime/base/error.h"
#include "runtime/options/option_values.h"
#include "tests/golden/expect_golden.h"
#include "tests/runtime/temporary_file.h"

#include "llvm/ADT/StringExtras.h"

namespace autotp {
namespace {

std::string textOf(const CompileRow &row, const OptionValue &value) {
  if (const int64_t *whole = std::get_if<int64_t>(&value)) {
    for (const OptionWord &word : row.words)
      if (word.value == *whole) return word.name.str();
    return std::to_string(*whole);
  }
  if (const double *real = std::get_if<double>(&value)) return numberText(*real);
  const bool *isOn = std::get_if<bool>(&value);
  return isOn && *isOn ? "on" : "";
}

/// Every number, word and switch that is not as without flags and configuration.
std::string changedOptions(const CompileOptions &options) {
  std::string text;
  for (const CompileRow *row : optionRows()) {
    const OptionValue value = row->member.get(options);
    if (value == row->member.initial() || textOf(*row, value).empty()) continue;
    text += (text.empty() ? "" : ", ") + row->name().str() + " " + textOf(*row, value);
  }
  return text;
}

/// What a case leaves: the options, then the notes, or the errors.
std::string outcome(llvm::StringRef flags, const std::string &json) {
  test::TemporaryFolder folder;
  CompileOptions options;
  std::vector<GivenFlag> given = {{&optionNamed("o"), "plan"},
                                  {&optionNamed("ds-config"), folder.write("ds.json", json)}};
  llvm::SmallVector<llvm::StringRef, 4> words;
  flags.split(words, ' ', -1, /*KeepEmpty=*/false);
  for (size_t i = 0; i + 1 < words.size(); i += 2)
    given.push_back({&optionNamed(words[i].drop_front(2)), words[i + 1].str()});
  llvm::Error error = readFlags(given, {}, options);
  if (!error) error = readOptionFiles(options);
  if (!error) error = checkOptimizer(options);
  if (error) {
    std::string text = describe(std::move(error)) + "\n";
    if (const size_t at = text.find(folder.path() + "/"); at != std::string::npos)
      text.erase(at, folder.path().size() + 1);
    return text;
  }
  return changedOptions(options) + "\n" + llvm::join(options.notes, "\n") + (options.notes.empty() ? "" : "\n");
}

/// A case is "== what it shows", a line of flags or none, the configuration, "--", and the outcome.
TEST(DeepSpeedCases, AreAsWritten) {
  constexpr const char *kFile = "tests/passes/options/deepspeed/cases.txt";
  auto file = llvm::MemoryBuffer::getFile(std::string(AUTOTP_SOURCE_DIR) + "/" + kFile);
  ASSERT_TRUE(bool(file));
  auto [text, rest] = (*file)->getBuffer().split("== ");
  std::string written = text.str();
  while (!rest.empty()) {
    auto [one, next] = rest.split("\n== ");
    rest = next;
    auto [head, body] = one.split('\n');
    auto [config, before] = body.split("\n--");
    llvm::StringRef flags = config.startswith("--") ? config.split('\n').first : "";
    const std::string json = config.drop_front(flags.size()).str();
    written += ("== " + head + "\n" + config + "\n--\n").str() + outcome(flags, json) + (rest.empty() ? "" : "\n");
  }
  test::expectGolden(kFile, written);
}

} // namespace
} // namespace autotp
