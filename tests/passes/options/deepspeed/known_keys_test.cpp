// The table of DeepSpeed's keys, row by row: what is harmless or refused is said so, and what is honoured has an option.
#include "passes/options/compile_row.h"
#include "passes/options/deepspeed/config.h"
#include "passes/options/deepspeed/known_keys.h"
#include "passes/options/option_rows.h"
#include "runtime/base/error.h"
#include "tests/runtime/temporary_file.h"

#include "llvm/ADT/StringExtras.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

struct Read {
  std::string error, notes;
};

Read readConfig(const std::string &json) {
  test::TemporaryFolder folder;
  CompileOptions options;
  llvm::Error error = readDeepSpeedConfig(folder.write("ds.json", json), options);
  return {error ? describe(std::move(error)) : "", llvm::join(options.notes, "\n")};
}

/// {"zero_optimization": {"stage": 3}}. Keys of an optimizer or scheduler stand beside its type.
std::string configOf(llvm::StringRef path, llvm::StringRef value, llvm::StringRef optimizer = "AdamW") {
  llvm::SmallVector<llvm::StringRef, 3> names;
  path.split(names, '.');
  std::string json = value.str();
  for (llvm::StringRef name : llvm::reverse(names)) {
    const bool hasType = name == "optimizer" || name == "scheduler";
    const llvm::StringRef type = name == "optimizer" ? optimizer : "WarmupLR";
    if (hasType && names.back() != "type") json.insert(1, ("\"type\": \"" + type + "\", ").str());
    json = ("{\"" + name + "\": " + json + "}").str();
  }
  return json;
}

TEST(KnownKeys, EachIsInOneRow) {
  std::map<std::string, int> rows;
  for (const KnownKey *row : knownKeys()) {
    EXPECT_FALSE(row->why.empty());
    EXPECT_EQ(row->remedy.empty(), row->verdict != KeyVerdict::Refused) << row->names.str();
    for (const std::string &path : pathsOf(*row))
      EXPECT_EQ(++rows[path], 1) << path;
  }
  EXPECT_GT(rows.size(), 300u);
}

TEST(KnownKeys, WhatIsHarmlessIsSaid) {
  for (const KnownKey *row : knownKeys())
    for (const std::string &path : pathsOf(*row)) {
      if (row->verdict != KeyVerdict::Harmless) continue;
      const Read read = readConfig(configOf(path, "true"));
      EXPECT_EQ(read.error, "") << path;
      EXPECT_NE(read.notes.find("harmless here: " + path + " (" + row->why.str() + ")"), std::string::npos)
          << read.notes;
    }
}

TEST(KnownKeys, WhatIsRefusedIsSaidWithItsRemedy) {
  for (const KnownKey *row : knownKeys())
    for (const std::string &path : pathsOf(*row)) {
      if (row->verdict != KeyVerdict::Refused) continue;
      const bool isSection = isKnownSection(path);
      EXPECT_EQ(readConfig(configOf(path, isSection ? "{}" : "\"asked\"")).error,
                "error: --ds-config: '" + path + (isSection ? "' is there: " : "' is 'asked': ") + row->why.str() +
                    "\n  do:  " + row->remedy.str());
      llvm::SmallVector<llvm::StringRef, 2> unasked = {"null", "\"auto\""};
      row->unasked.split(unasked, '|', -1, /*KeepEmpty=*/false);
      for (llvm::StringRef value : unasked)
        EXPECT_EQ(readConfig(configOf(path, value)).error, "") << path << " " << value.str();
    }
}

/// Parts mean nothing as long as what they belong to is not asked for.
TEST(KnownKeys, PartsAreSilent) {
  for (const KnownKey *row : knownKeys())
    for (const std::string &path : pathsOf(*row)) {
      if (row->verdict != KeyVerdict::Part || findKnownKey(row->section)) continue;
      EXPECT_EQ(readConfig(configOf(path, "3")).error, "") << path;
    }
}

/// With one of the optimizers; a scheduler's keys are those of its own tests.
TEST(KnownKeys, WhatIsHonouredMayBeAuto) {
  for (const KnownKey *row : knownKeys())
    for (const std::string &path : pathsOf(*row)) {
      if (row->verdict != KeyVerdict::Honoured || llvm::StringRef(path).startswith("scheduler.")) continue;
      EXPECT_TRUE(llvm::any_of(llvm::ArrayRef<const char *>{"AdamW", "Adam", "SGD", "Adagrad"}, [&](const char *type) {
        return readConfig(configOf(path, "\"auto\"", type)).error.empty();
      })) << path;
    }
}

TEST(KnownKeys, WhatOptionsNameIsHonoured) {
  for (const CompileRow *row : optionRows()) {
    llvm::SmallVector<llvm::StringRef, 2> keys;
    row->deepSpeed.split(keys, ", ", -1, /*KeepEmpty=*/false);
    for (llvm::StringRef key : keys) {
      const KnownKey *known = findKnownKey(key);
      ASSERT_TRUE(known) << key.str();
      EXPECT_EQ(known->verdict, KeyVerdict::Honoured) << key.str();
    }
  }
}

TEST(KnownKeys, AnUnknownKeyIsAnError) {
  for (auto [path, closest] : {std::pair("zero_optimisation", "zero_optimization"),
                               {"zero_optimization.stagee", "zero_optimization.stage"},
                               {"zero_optimization.gradient_clipping", "gradient_clipping"},
                               {"steps_per_prin", "steps_per_print"},
                               {"something", ""}}) {
    const std::string error = readConfig(configOf(path, "1")).error;
    EXPECT_EQ(error.find(std::string("error: --ds-config: '") + path + "' is no key of DeepSpeed's configuration"), 0u);
    const std::string question = *closest ? std::string("did you mean '") + closest + "'?" : "do:  remove it";
    EXPECT_NE(error.find(question), std::string::npos) << error;
  }
  EXPECT_EQ(readConfig(R"({"_comment": "a remark", "fp16": {"_why": 1}})").error, "");
}

} // namespace
} // namespace autotp
