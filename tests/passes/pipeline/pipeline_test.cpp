// The list of passes: where it ends, what may be left out, what is shown.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pass.h"
#include "passes/pipeline.h"
#include "passes/plan_source.h"
#include "runtime/base/error.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

CompileOptions llama(int tp) {
  CompileOptions options;
  options.model = AUTOTP_SOURCE_DIR "/tests/fixtures/llama/model.onnx";
  options.import.microBatch = 2;
  options.shard = ShardMode::All;
  options.step.tp = tp;
  return options;
}

TEST(Pipeline, EndsAfterEachPass) {
  for (const Pass &pass : allPasses()) {
    CompileOptions options = llama(2);
    options.look.stopAfter = pass.name.str();
    llvm::Expected<CompiledModel> compiled = compile(options);
    ASSERT_TRUE(bool(compiled)) << pass.name.str() << ": " << describe(compiled.takeError());
    ASSERT_FALSE(compiled->times.empty());
    EXPECT_EQ(compiled->times.back().stage, pass.name);
    EXPECT_EQ(compiled->ranks.emitted.empty(), pass.leaves < Form::Emitted) << pass.name.str();
    EXPECT_EQ(compiled->certificate.has_value(), pass.leaves == Form::Proven) << pass.name.str();
  }
}

/// And so is a plan without any of them, whose graph can be made again from what its manifest says.
TEST(Pipeline, APlanWithoutAnOptionalPassIsProven) {
  std::vector<std::string> optional = optionalPassNames();
  ASSERT_FALSE(optional.empty());
  EXPECT_EQ(optional.back(), "certify");
  optional.pop_back();
  std::vector<std::set<std::string>> tried = {{optional.begin(), optional.end()}};
  for (const std::string &name : optional)
    tried.push_back({name});
  for (const std::set<std::string> &skipped : tried) {
    CompileOptions options = llama(2);
    options.skipped = skipped;
    llvm::Expected<CompiledModel> compiled = compile(options);
    ASSERT_TRUE(bool(compiled)) << *skipped.begin() << ": " << describe(compiled.takeError());
    EXPECT_TRUE(compiled->certificate.has_value());
    Manifest manifest;
    manifest.tp = manifest.dp = manifest.gradAccum = 1;
    manifest.source = sourceOf(options, compiled->source.digest);
    llvm::Expected<CompileOptions> again = optionsOf(manifest, "");
    ASSERT_TRUE(bool(again)) << describe(again.takeError());
    std::set<std::string> ofGraph = skipped;
    ofGraph.erase("fuse-epilogues"); // works on programs, which a plan holds
    EXPECT_EQ(again->skipped, ofGraph);
  }
}

TEST(Pipeline, PrintsAndDumpsWhatEachPassLeft) {
  CompileOptions options = llama(2);
  std::string text;
  llvm::raw_string_ostream os(text);
  options.look.printTo = &os;
  options.look.printAfter = "all";
  const std::string folder = testing::TempDir() + "autotp_dump_test";
  auto dump = llvm::cantFail(OutputFolder::open(folder, {}));
  options.look.dumpTo = dump.get();
  llvm::cantFail(compile(options));
  os.flush();
  llvm::cantFail(dump->commit());
  for (const Pass &pass : allPasses())
    EXPECT_NE(text.find("# after " + pass.name.str()), std::string::npos) << pass.name.str();
  const std::vector<std::string> names = passNames();
  for (auto [pass, part] : {std::pair("import-model", ""),
                            {"localise", ".tp_rank_1"},
                            {"build-steps", ".tp_rank_0.micro_step"},
                            {"order-queues", ".tp_rank_1"}}) {
    const std::string file =
        llvm::formatv("{0}/{1,0+2}-{2}{3}.txt", folder, llvm::find(names, pass) - names.begin(), pass, part);
    EXPECT_TRUE(llvm::sys::fs::exists(file)) << file;
  }
  llvm::sys::fs::remove_directories(folder);
}

/// What the optimizer's own graph says is left as it is, and passes for forwards alone are not run.
TEST(Pipeline, AModelWithItsOwnBackwardKeepsIt) {
  CompileOptions options = llama(1);
  options.model = AUTOTP_SOURCE_DIR "/tests/fixtures/ort-artifacts-mlp";
  llvm::Expected<CompiledModel> compiled = compile(options);
  ASSERT_TRUE(bool(compiled)) << describe(compiled.takeError());
  for (const StageTime &time : compiled->times)
    EXPECT_NE(time.stage, "recognise-attention");
}

} // namespace
} // namespace autotp
