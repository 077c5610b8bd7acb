// A model whose names are random strings, whose nodes stand in another order and whose constants are nodes gives the
// same plan but for names.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "runtime/base/error.h"
#include "tests/fixtures/run_fixture.h"

#include "llvm/Support/FileSystem.h"

#include <fstream>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <random>
#include <set>

namespace autotp {
namespace {

onnx::ModelProto readModel(const std::string &path) {
  onnx::ModelProto model;
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(model.ParseFromIstream(&stream)) << path;
  return model;
}

void clearMetadata(onnx::ModelProto &model) {
  model.clear_metadata_props();
  model.mutable_graph()->clear_value_info();
  for (onnx::NodeProto &node : *model.mutable_graph()->mutable_node()) {
    node.clear_metadata_props();
    node.clear_doc_string();
  }
}

llvm::Expected<CompiledModel> compileModel(CompileOptions options, const onnx::ModelProto &model) {
  llvm::SmallString<128> path;
  int file = 0;
  EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("autotp-scrambled", "onnx", file, path));
  llvm::raw_fd_ostream(file, true) << model.SerializeAsString();
  options.model = path.str().str();
  llvm::Expected<CompiledModel> compiled = compile(options);
  llvm::sys::fs::remove(path);
  return compiled;
}

class Scrambler {
public:
  Scrambler(onnx::ModelProto &model, unsigned seed) : graph_(*model.mutable_graph()), random_(seed) {}

  void run() {
    makeConstantNodes();
    rename();
    shuffle();
  }

private:
  /// Integers and scalars are never parameters: an exporter may write them either way.
  void makeConstantNodes() {
    auto initializers = graph_.initializer();
    graph_.clear_initializer();
    std::vector<onnx::NodeProto> nodes(graph_.node().begin(), graph_.node().end());
    for (const onnx::TensorProto &tensor : initializers) {
      bool isWeight = tensor.dims_size() > 0 && tensor.data_type() == onnx::TensorProto::FLOAT;
      if (isWeight || random_() % 2) {
        *graph_.add_initializer() = tensor;
        continue;
      }
      onnx::NodeProto node;
      node.set_op_type("Constant");
      node.add_output(tensor.name());
      onnx::AttributeProto &value = *node.add_attribute();
      value.set_name("value");
      value.set_type(onnx::AttributeProto::TENSOR);
      *value.mutable_t() = tensor;
      nodes.insert(nodes.begin(), node);
    }
    graph_.clear_node();
    for (const onnx::NodeProto &node : nodes)
      *graph_.add_node() = node;
  }

  const std::string &named(const std::string &name) {
    static const std::string none;
    if (name.empty()) return none;
    auto [at, isNew] = names_.try_emplace(name);
    if (isNew) at->second = "n" + std::to_string(random_()) + "/" + std::to_string(names_.size());
    return at->second;
  }

  void rename() {
    for (auto &input : *graph_.mutable_input())
      input.set_name(named(input.name()));
    for (auto &output : *graph_.mutable_output())
      output.set_name(named(output.name()));
    for (auto &tensor : *graph_.mutable_initializer())
      tensor.set_name(named(tensor.name()));
    for (onnx::NodeProto &node : *graph_.mutable_node()) {
      node.set_name("node" + std::to_string(random_()));
      for (std::string &name : *node.mutable_input())
        name = named(name);
      for (std::string &name : *node.mutable_output())
        name = named(name);
    }
  }

  /// Any node whose operands are there may be next.
  void shuffle() {
    std::vector<onnx::NodeProto> waiting(graph_.node().begin(), graph_.node().end());
    std::set<std::string> known = {""};
    for (const auto &input : graph_.input())
      known.insert(input.name());
    for (const auto &tensor : graph_.initializer())
      known.insert(tensor.name());
    graph_.clear_node();
    while (!waiting.empty()) {
      std::vector<size_t> ready;
      for (size_t i = 0; i < waiting.size(); ++i)
        if (llvm::all_of(waiting[i].input(), [&](const std::string &name) { return known.count(name); }))
          ready.push_back(i);
      ASSERT_FALSE(ready.empty());
      size_t chosen = ready[random_() % ready.size()];
      for (const std::string &name : waiting[chosen].output())
        known.insert(name);
      *graph_.add_node() = waiting[chosen];
      waiting.erase(waiting.begin() + long(chosen));
    }
  }

  onnx::GraphProto &graph_;
  std::mt19937 random_;
  std::map<std::string, std::string> names_;
};

void clearNames(plan::Program &program) {
  for (auto &section : *program.mutable_sections())
    for (plan::Instruction &step : *section.mutable_instructions()) {
      step.clear_origin();
      step.clear_name();
    }
  for (plan::Input &input : *program.mutable_inputs())
    input.clear_name();
  for (plan::Parameter &parameter : *program.mutable_parameters()) {
    parameter.clear_name();
    for (plan::Alias &alias : *parameter.mutable_aliases())
      alias.clear_name();
  }
}

class Scramble : public testing::TestWithParam<const char *> {};

TEST_P(Scramble, GivesTheSamePlanButForNames) {
  CompileOptions options = test::fixtureOptions(GetParam());
  options.step.tp = options.step.dp = 2;
  // What an exporter says may decide what is trained, and which keys are hidden: neither model says anything.
  onnx::ModelProto silent = readModel(options.model);
  clearMetadata(silent);
  CompiledModel plain = llvm::cantFail(compileModel(options, silent));
  for (unsigned seed : {1u, 2u}) {
    onnx::ModelProto model = silent;
    Scrambler(model, seed).run();
    llvm::Expected<CompiledModel> other = compileModel(options, model);
    ASSERT_TRUE(bool(other)) << describe(other.takeError());
    for (size_t c = 0; c < plain.ranks.emitted.size(); ++c) {
      plan::Program a = plain.ranks.emitted[c], b = other->ranks.emitted[c];
      clearNames(a);
      clearNames(b);
      ASSERT_EQ(a.sections(0).instructions_size(), b.sections(0).instructions_size()) << "seed " << seed;
      for (int s = 0; s < a.sections_size(); ++s)
        for (int i = 0; i < a.sections(s).instructions_size(); ++i)
          ASSERT_EQ(a.sections(s).instructions(i).DebugString(), b.sections(s).instructions(i).DebugString())
              << "seed " << seed << " step " << i;
      EXPECT_EQ(a.SerializeAsString(), b.SerializeAsString()) << "seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Scramble, testing::ValuesIn(test::kFixtures), test::fixtureTestName);

} // namespace
} // namespace autotp
