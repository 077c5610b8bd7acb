// The table of options: what the rows must be, and what a manifest keeps of their values.
#include "passes/options/compile_row.h"
#include "passes/options/option_rows.h"
#include "passes/options/recorded_values.h"
#include "passes/plan_source.h"
#include "runtime/base/error.h"
#include "runtime/options/option_values.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

TEST(OptionRows, AreWithoutFault) { EXPECT_EQ(faultsOf(optionRows()), ""); }

TEST(OptionRows, FaultsAreFound) {
  const OptionMember tp = at<&CompileOptions::step, &StepOptions::tp>();
  const CompileRow good = {{.flag = "a", .placeholder = "N", .member = tp, .help = "a"},
                           {.key = "a", .changes = Changes::Graph}};
  EXPECT_EQ(faultsOf({&good}), "");
  CompileRow sameKey = good, sameFlag = good;
  sameKey.flag = "b";
  sameFlag.key = "b";
  EXPECT_EQ(faultsOf({&good, &sameKey}), "b: another row has its key\n");
  EXPECT_EQ(faultsOf({&good, &sameFlag}), "a: another row has its name\n");
  CompileRow field = good, sameField = good;
  field.flag = "c";
  field.key = {};
  sameField = field;
  sameField.flag = "d";
  field.field = sameField.field = &Manifest::tp;
  EXPECT_EQ(faultsOf({&field, &sameField}), "d: another row has its key\n");
  CompileRow silent = good, unrecorded = good, empty = good, words = good;
  silent.help = {};
  unrecorded.key = {};
  empty.range = {2, 1};
  words.member = at<&CompileOptions::shard>();
  EXPECT_EQ(faultsOf({&silent}), "a: it has no help\n");
  EXPECT_EQ(faultsOf({&unrecorded}), "a: it changes the graph and is not recorded, or is recorded for nothing\n");
  EXPECT_EQ(faultsOf({&empty}), "a: its range is empty\n");
  EXPECT_EQ(faultsOf({&words}), "a: it has words that it does not take, or lacks some\n");
}

/// A value that a row may have and that is not its default.
OptionValue anotherValue(const CompileRow &row) {
  const OptionValue initial = row.member.initial();
  switch (row.kind()) {
  case OptionKind::Switch:
    return !std::get<bool>(initial);
  case OptionKind::Integer:
    return std::get<int64_t>(initial) == 1 ? int64_t(2) : int64_t(1);
  case OptionKind::Real:
    return std::max(row.range.least, 0.0) + 0.625;
  case OptionKind::Text:
    return std::string(row.isOfItsForm ? "none" : "some text");
  case OptionKind::Word:
    return row.words.back().value;
  case OptionKind::Sizes:
    return NamedSizes{{"seq", 8}};
  case OptionKind::Meanings:
    return NamedTexts{{"ids", "tokens"}};
  case OptionKind::Names:
    return std::vector<std::string>{"recognise-gelu"};
  }
  return {};
}

/// What changes the graph is read back from the manifest as it was.
TEST(OptionRows, WhatChangesTheGraphIsReadBack) {
  CompileOptions options;
  for (const CompileRow *row : optionRows())
    row->member.set(options, anotherValue(*row));
  addListed("lm_head = wte", options.parameters);
  Manifest manifest;
  for (const CompileRow *row : optionRows())
    writeField(*row, options, manifest);
  manifest.source = sourceOf(options, "digest");
  const CompileOptions again = llvm::cantFail(optionsOf(manifest, ""));
  for (const CompileRow *row : optionRows()) {
    if (row->changes != Changes::Graph) continue;
    const OptionMember &member = row->recorded.get ? row->recorded : row->member;
    if (row->flag == "parameters" || row->flag == "skip-pass") continue; // what is left of these lists is below
    EXPECT_EQ(member.get(options), member.get(again)) << row->name().str();
  }
  EXPECT_TRUE(again.parameters.isListed);
  EXPECT_EQ(again.parameters.ties.size(), 1u);
  EXPECT_EQ(again.skipped, std::set<std::string>{"recognise-gelu"}); // certify is no pass on the graph
}

TEST(OptionRows, AManifestMayHoldWhatNoOptionCanBe) {
  Manifest manifest;
  manifest.source = sourceOf(CompileOptions(), "digest");
  manifest.source["model"] = "model.onnx";
  EXPECT_TRUE(bool(optionsOf(manifest, "")));
  manifest.source["beta1"] = 2;
  manifest.source["dtype"] = "f8";
  manifest.source["retie"] = "no";
  auto options = optionsOf(manifest, "");
  ASSERT_FALSE(bool(options));
  EXPECT_EQ(describe(options.takeError()), "error: manifest.json: 'dtype' is none of fp32, bf16, fp16\n"
                                           "  do:  compile the plan again\n"
                                           "error: manifest.json: 'no-retie' is neither true nor false\n"
                                           "  do:  compile the plan again\n"
                                           "error: manifest.json: 'beta1' is not in [0, 1)\n"
                                           "  do:  compile the plan again");
}

/// One optimizer's own numbers are rows.
TEST(OptionRows, EachOptionOfAnOptimizerIsARow) {
  for (const CompileRow *row : optionRows()) {
    auto hasIt = [&](OptimizerKind kind) { return hasOption(kind, row->flag); };
    EXPECT_EQ(row->is(kOfOptimizer), llvm::any_of(allOptimizers(), hasIt)) << row->flag.str();
  }
  for (OptimizerKind kind : allOptimizers()) {
    CompileOptions options;
    options.step.optimizer = defaultsOf(kind);
    for (const CompileRow *row : optionRows()) {
      if (!row->is(kDefaultOfOptimizer) || row->kind() != OptionKind::Real) continue;
      EXPECT_EQ(valueOfJson(*row, std::get<double>(row->member.get(options))).fault, "") << nameOf(kind).str();
    }
  }
}

} // namespace
} // namespace autotp
