// onnxruntime-training's artifact folders: their parameters and optimizer, and what is refused, whatever their bytes.
#include "compiler/ir/gradient_outputs.h"
#include "compiler/onnx/checkpoint.h"
#include "tests/compiler/onnx/model_file.h"

#include <random>

namespace autotp {
namespace {

using namespace test;

std::string contentsOf(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

std::string fixture(const std::string &file) {
  return contentsOf(std::string(AUTOTP_SOURCE_DIR) + "/tests/fixtures/ort-artifacts-mlp/" + file);
}

/// The mlp's folder, of which a test changes one file.
class Artifacts : public testing::Test {
protected:
  Artifacts() {
    for (const char *file : {"training_model.onnx", "optimizer_model.onnx", "checkpoint"})
      folder.write(file, fixture(file));
    EXPECT_TRUE(training.ParseFromString(fixture("training_model.onnx")));
    EXPECT_TRUE(optimizer.ParseFromString(fixture("optimizer_model.onnx")));
  }
  llvm::Expected<ImportedModel> import() {
    folder.write("training_model.onnx", training.SerializeAsString());
    folder.write("optimizer_model.onnx", optimizer.SerializeAsString());
    return importModel(folder.path(), {});
  }
  void refuses(const std::string &what) {
    const std::string text = refusal(import());
    EXPECT_NE(text.find(what), std::string::npos) << text << "\nexpected: " << what;
  }
  onnx::AttributeProto &attribute(const std::string &name) {
    for (onnx::AttributeProto &a : *optimizer.mutable_graph()->mutable_node(0)->mutable_attribute())
      if (a.name() == name) return a;
    ADD_FAILURE() << name;
    return *optimizer.mutable_graph()->mutable_node(0)->add_attribute();
  }
  TemporaryFolder folder;
  onnx::ModelProto training, optimizer;
};

TEST_F(Artifacts, AreReadAsTheyAreWritten) {
  ImportedModel model = llvm::cantFail(import());
  EXPECT_TRUE(model.hasGradients);
  ASSERT_EQ(model.initializers.size(), 6u);
  const Value &weight = model.graph.value(model.initializers[0]);
  EXPECT_EQ(weight.name, "net.fc1.weight");
  EXPECT_EQ(weight.type.text(), "f32[128,32]");
  ASSERT_EQ(model.graph.outputs.size(), 7u); // the loss, and each gradient
  EXPECT_EQ(model.graph.outputs[1].name, gradientName("net.fc1.weight"));
  EXPECT_EQ(model.graph.sources(ValueKind::Input).size(), 2u);
  const UpdateRule &rule = model.updates->ruleOf("net.fc1.weight");
  EXPECT_EQ(rule.op, "adam");
  EXPECT_EQ(rule.attributes.integer("corrects_root"), 0);
  EXPECT_EQ(rule.attributes.real("epsilon"), double(1e-6f));
  EXPECT_TRUE(rule.attributes.has("decay_after"));
  EXPECT_EQ(rule.count, "step");
  EXPECT_FALSE(model.updates->hasOwnRate());
  EXPECT_EQ(model.updates->clipGradNorm, 0);
  for (const auto &entry : model.moduleNames) // none of the nodes that compute gradients
    EXPECT_EQ(entry.second.find("Grad"), std::string::npos) << entry.second;
}

TEST_F(Artifacts, OptimizersAreRules) {
  attribute("adam_mode").set_i(0);
  attribute("correct_bias").set_i(0);
  attribute("weight_decay").set_f(0.5);
  *optimizer.mutable_graph()->add_node() = optimizer.graph().node(0);
  onnx::NodeProto &clip = *optimizer.mutable_graph()->mutable_node(0);
  clip.set_op_type("InplaceClipGradNorm");
  clip.clear_attribute();
  *clip.add_attribute() = floatAttribute("max_norm", 0.25);
  const Updates adam = *llvm::cantFail(import()).updates;
  EXPECT_EQ(adam.clipGradNorm, 0.25);
  EXPECT_EQ(adam.rules[0].attributes.integer("corrects_root"), 1);
  EXPECT_EQ(adam.rules[0].attributes.real("decay_before"), 0.5);
  const Value &count = adam.schedule.value(adam.schedule.output(adam.rules[0].count));
  ASSERT_EQ(count.kind, ValueKind::Constant); // no bias is corrected
  EXPECT_EQ(toArray(*count.contents).data[0], 0);
  optimizer.mutable_graph()->mutable_node()->DeleteSubrange(0, 1);
  optimizer.mutable_graph()->mutable_node(0)->set_op_type("SGDOptimizerV2");
  EXPECT_EQ(llvm::cantFail(import()).updates->rules[0].op, "sgd");
  optimizer.mutable_graph()->mutable_node(0)->set_op_type("LambOptimizer");
  refuses("node 'onnx::AdamWOptimizer::6' (LambOptimizer): this is no optimizer that can be run");
  optimizer.mutable_graph()->clear_node();
  refuses("optimizer_model.onnx: it holds no optimizer");
}

TEST_F(Artifacts, EveryParameterHasAGradient) {
  onnx::NodeProto *accumulation = nullptr;
  for (onnx::NodeProto &node : *training.mutable_graph()->mutable_node())
    if (!accumulation && node.op_type() == "InPlaceAccumulatorV2") accumulation = &node;
  const onnx::NodeProto good = *accumulation;
  accumulation->set_input(1, "net.fc2.bias_grad");
  refuses("the gradient is f32[96], its parameter f32[128,32]");
  accumulation->set_input(1, "nothing");
  refuses("nothing computes 'nothing'");
  accumulation->set_input(0, "buffer");
  refuses("parameter 'net.fc1.weight': the training graph accumulates no gradient for it");
  *accumulation = good;
  training.mutable_graph()->mutable_output(0)->set_name("logits");
  refuses("none of its outputs is a scalar loss");
}

TEST_F(Artifacts, FilesAreThereAndWhole) {
  folder.write("checkpoint", "no checkpoint");
  refuses("checkpoint: it is no checkpoint of onnxruntime-training");
  std::filesystem::remove(folder.path() + "/checkpoint");
  refuses("checkpoint: it cannot be read");
  std::filesystem::remove(folder.path() + "/optimizer_model.onnx");
  EXPECT_NE(refusal(importModel(folder.path(), {})).find("optimizer_model.onnx: it cannot be read"), std::string::npos);
  folder.write("training_model.onnx", "no model");
  EXPECT_NE(refusal(importModel(folder.path(), {})).find("training_model.onnx: it is no ONNX model"),
            std::string::npos);
}

/// Every length near the tables, and every byte of them changed: read() ends with a value, and asks for little memory.
TEST(Checkpoint, WhateverItsBytesAre) {
  const std::string good = fixture("checkpoint");
  TemporaryFolder folder;
  int refused = 0, read = 0;
  auto tries = [&](const std::string &bytes) {
    auto tensors = readCheckpoint(folder.write("checkpoint", bytes));
    if (tensors) {
      ++read;
      return;
    }
    ++refused;
    EXPECT_TRUE(llvm::StringRef(describe(tensors.takeError())).startswith("error: "));
  };
  std::mt19937 random(1);
  std::vector<size_t> places; // of the root, and around the names, where tables and vectors lie
  for (size_t at = 0; at < 110; ++at)
    places.push_back(at);
  for (size_t name = good.find("net."); name != std::string::npos; name = good.find("net.", name + 1))
    for (size_t at = name - 30; at < name + 20; ++at)
      places.push_back(std::min(at, good.size() - 1));
  for (size_t at : places) {
    tries(good.substr(0, at));
    for (int flip : {0x01, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = char(bad[at] ^ flip);
      tries(bad);
    }
  }
  for (int k = 0; k < 300; ++k) {
    std::string bad = good;
    for (int j = 0; j < 8; ++j)
      bad[random() % 2 ? random() % 110 : places[random() % places.size()]] = char(random());
    tries(bad);
  }
  EXPECT_GT(refused, 300);
  EXPECT_GT(read, 0); // a byte of a name
}

} // namespace
} // namespace autotp
