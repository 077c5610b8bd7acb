/// \file How tests compile a fixture, and what one step of training is to an executor.
#pragma once

#include "passes/compile_options.h"
#include "passes/pipeline.h"
#include "runtime/execute/executor.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace autotp::test {

/// tests/fixtures/NAME, or NAME if it is a path of the project.
inline std::string folderOf(const std::string &name) {
  bool isPath = name.find('/') != std::string::npos;
  return std::string(AUTOTP_SOURCE_DIR) + (isPath ? "/" : "/tests/fixtures/") + name;
}

constexpr const char *kFixtures[] = {"mlp",        "llama",      "llama-ts", "llama-tied-logits",
                                     "llama-op23", "llama-hf23", "qwen3",    "bert-mlm",
                                     "gpt2",       "nanogpt"};

/// Models that bring their own training graph.
constexpr const char *kOwnTrainingFixtures[] = {"training-info-mlp", "training-info-mlp-momentum"};

/// onnxruntime-training's artifacts: folders, not files.
constexpr const char *kArtifactFixtures[] = {"ort-artifacts-mlp", "ort-artifacts-llama"};

/// A parameter as a test's name.
inline std::string fixtureTestName(const testing::TestParamInfo<const char *> &info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

/// Every axis that divides parameters is sharded, and workspace is planned for one thread.
inline CompileOptions fixtureOptions(const std::string &fixture) {
  CompileOptions options;
  const bool isFolder = llvm::is_contained(kArtifactFixtures, llvm::StringRef(fixture));
  options.model = folderOf(fixture) + (isFolder ? "" : "/model.onnx");
  options.import.microBatch = 2;
  options.import.shapes["seq"] = 32;
  options.shard = ShardMode::All;
  options.memory.threads = 1;
  if (fixture == "llama-tied-logits") options.loss.made = LossMade::NextToken;
  return options;
}

/// One micro-step and one update, `step` from 1.
inline llvm::Error runStep(Executor &executor, int step) {
  executor.zeroAccumulators();
  if (llvm::Error error = executor.run("micro_step")) return error;
  executor.setScalar("learning_rate", 1e-3f);
  executor.setScalar("step", float(step));
  return executor.run("optimizer_step");
}

} // namespace autotp::test
