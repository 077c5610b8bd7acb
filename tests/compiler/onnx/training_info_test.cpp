// A training graph of its own: what its nodes say is what the updates say; what they cannot say is refused by name.
#include "tests/compiler/onnx/model_file.h"

namespace autotp {
namespace {

using namespace test;

constexpr const char *kTraining = "ai.onnx.preview.training";

/// y = mean(x w); w is updated by Adagrad with a learning rate r / t, t counted from 1; b, a vector, by Momentum.
class TrainingInfo : public testing::Test {
protected:
  TrainingInfo() {
    file.input("x", {4, 2});
    file.initializer(floats("w", {2, 3}, {1, 2, 3, 4, 5, 6}));
    file.initializer(floats("b", {3}, {1, 2, 3}));
    file.node("MatMul", {"x", "w"}, {"xw"});
    file.node("Add", {"xw", "b"}, {"z"});
    file.output("z");
    info = file.proto.add_training_info();
    onnx::GraphProto &g = *info->mutable_algorithm();
    *g.add_initializer() = floats("r", {}, {0.5});
    *g.add_initializer() = integers("t", {}, {1});
    *g.add_initializer() = integers("one", {}, {1});
    *g.add_initializer() = floats("h", {2, 3}, std::vector<float>(6, 7));
    *g.add_initializer() = floats("v", {3}, {0, 0, 0});
    node("ReduceMean", {"z"}, {"y"}, {intAttribute("keepdims", 0)});
    onnx::AttributeProto xs = attribute("xs", onnx::AttributeProto::STRINGS), zs = xs;
    for (const char *name : {"w", "b"})
      xs.add_strings(name);
    zs.set_name("zs");
    zs.add_strings("x");
    gradient = &node("Gradient", {"w", "b", "x"}, {"dw", "db"}, {xs, zs, textAttribute("y", "y")}, kTraining);
    node("Cast", {"t"}, {"t_float"}, {intAttribute("to", onnx::TensorProto::FLOAT)});
    node("Div", {"r", "t_float"}, {"r_now"});
    node("Add", {"t", "one"}, {"t_new"});
    adagrad = &node("Adagrad", {"r_now", "t", "w", "dw", "h"}, {"w_new", "h_new"},
                    {floatAttribute("decay_factor", 0.25), floatAttribute("norm_coefficient", 0.125)}, kTraining);
    momentum = &node("Momentum", {"r", "t_new", "b", "db", "v"}, {"b_new", "v_new"},
                     {floatAttribute("alpha", 0.5), floatAttribute("beta", 0.25), floatAttribute("norm_coefficient", 0),
                      textAttribute("mode", "standard")},
                     kTraining);
    for (const char *name : {"w", "b", "h", "v", "t"})
      bind(name, std::string(name) + "_new");
  }

  onnx::NodeProto &node(const std::string &op, std::vector<std::string> operands, std::vector<std::string> results,
                        std::vector<onnx::AttributeProto> attributes = {}, const std::string &domain = "") {
    onnx::NodeProto *node = info->mutable_algorithm()->add_node();
    node->set_op_type(op);
    node->set_domain(domain);
    node->mutable_input()->Assign(operands.begin(), operands.end());
    node->mutable_output()->Assign(results.begin(), results.end());
    for (const onnx::AttributeProto &attribute : attributes)
      *node->add_attribute() = attribute;
    return *node;
  }
  void bind(const std::string &name, const std::string &value) {
    auto *entry = info->add_update_binding();
    entry->set_key(name);
    entry->set_value(value);
  }
  void refuses(const std::string &what) {
    std::string text = refusal(file.import());
    EXPECT_NE(text.find(what), std::string::npos) << text << "\nexpected: " << what;
  }

  ModelFile file;
  onnx::TrainingInfoProto *info;
  onnx::NodeProto *gradient, *adagrad, *momentum;
};

/// The schedule's outputs, in each step.
std::vector<std::map<std::string, double>> scalarsOf(const Updates &updates, int steps) {
  const Graph &g = updates.schedule;
  std::map<ValueId, Array> values;
  const std::vector<ValueId> states = g.sources(ValueKind::State);
  for (size_t i = 0; i < states.size(); ++i)
    values[states[i]] = toArray(updates.initial[i]);
  for (ValueId constant : g.sources(ValueKind::Constant))
    values[constant] = toArray(*g.value(constant).contents);
  std::vector<std::map<std::string, double>> all;
  for (int step = 0; step < steps; ++step) {
    for (NodeId id : g.order()) {
      llvm::SmallVector<const Array *, 4> operands;
      for (ValueId operand : g.node(id).operands)
        operands.push_back(&values[operand]);
      values[g.node(id).results[0]] = evaluateNode(g, id, operands)[0];
    }
    std::map<std::string, double> &now = all.emplace_back();
    for (const Output &output : g.outputs)
      now[output.name] = values[output.value].data[0];
    for (ValueId state : states)
      values[state] = values[g.output(Updates::nextName(g.value(state).name))];
  }
  return all;
}

TEST_F(TrainingInfo, IsReadAsItIsWritten) {
  ImportedModel model = llvm::cantFail(file.import());
  ASSERT_TRUE(model.updates.has_value());
  const Updates &updates = *model.updates;
  ASSERT_EQ(updates.rules.size(), 2u);
  const UpdateRule &w = updates.ruleOf("w"), &b = updates.ruleOf("b");
  EXPECT_EQ(w.op, "adagrad");
  EXPECT_EQ(w.attributes.real("rate_decay"), 0.25);
  EXPECT_EQ(w.attributes.real("l2"), 0.125);
  EXPECT_EQ(w.attributes.real("epsilon"), double(1e-6f));
  EXPECT_EQ(w.initial, (llvm::SmallVector<float, 2>{7}));
  EXPECT_EQ(b.op, "momentum");
  EXPECT_EQ(b.attributes.real("momentum"), 0.5);
  EXPECT_EQ(b.attributes.real("beta"), 0.25);
  EXPECT_TRUE(updates.parameters.lookup("b").decays);
  EXPECT_TRUE(updates.hasOwnRate());
  ASSERT_EQ(model.graph.outputs.size(), 1u);
  EXPECT_EQ(model.graph.outputs[0].name, "y");
  const auto scalars = scalarsOf(updates, 3);
  for (size_t step = 0; step < 3; ++step) {
    EXPECT_FLOAT_EQ(float(scalars[step].at(w.rate)), 0.5f / float(step + 1));
    EXPECT_EQ(scalars[step].at(w.count), double(step + 1)); // before the count is raised
    EXPECT_EQ(scalars[step].at(b.rate), 0.5);
    EXPECT_EQ(scalars[step].at(b.count), double(step + 2)); // after it
  }
}

TEST_F(TrainingInfo, InitialValuesAreBound) {
  onnx::GraphProto &first = *info->mutable_initialization();
  onnx::NodeProto &constant = *first.add_node();
  constant.set_op_type("Constant");
  constant.add_output("eights");
  *constant.add_attribute() = tensorAttribute("value", floats("", {2, 3}, std::vector<float>(6, 8)));
  auto bindInitial = [&](const char *name, const char *value) {
    auto *entry = info->add_initialization_binding();
    entry->set_key(name);
    entry->set_value(value);
  };
  bindInitial("w", "eights");
  bindInitial("h", "eights");
  ImportedModel model = llvm::cantFail(file.import());
  EXPECT_EQ(model.updates->ruleOf("w").initial[0], 8);
  for (ValueId id : model.initializers)
    if (model.graph.value(id).name == "w") EXPECT_EQ(toArray(*model.graph.value(id).contents).data[5], 8);
  constant.set_op_type("RandomNormal");
  refuses("RandomNormal (1 node");
  first.clear_node();
  refuses("initialization_binding of 'w': there is no such initializer, or nothing computes its value");
}

TEST_F(TrainingInfo, GradientsAreOfWeightsWhereTheyAre) {
  gradient->set_input(0, "b");
  refuses("node 'dw' (Gradient): it evaluates 'w' at another value than its own");
  gradient->set_input(0, "z");
  gradient->mutable_attribute(0)->set_strings(0, "z");
  refuses("it asks for the gradient of 'z', which is no weight");
  gradient->set_input(0, "w");
  gradient->mutable_attribute(0)->set_strings(0, "w");
  gradient->mutable_attribute(1)->set_strings(0, "xw");
  gradient->set_input(2, "xw");
  refuses("it holds 'xw' fixed, which is no input and no initializer");
  gradient->mutable_attribute(1)->set_strings(0, "x");
  gradient->set_input(2, "x");
  gradient->mutable_attribute(2)->set_s("nothing");
  refuses("value 'nothing': Gradient differentiates it, but nothing computes it");
  gradient->mutable_attribute(2)->set_s("t_new");
  refuses("value 't_new': it depends on the state 't'");
  gradient->clear_attribute();
  refuses("node 'dw' (Gradient): its attributes xs and y are missing");
}

TEST_F(TrainingInfo, UpdatesAreOfGradientsAndBound) {
  node("Neg", {"dw"}, {"clipped"});
  adagrad->set_input(3, "clipped");
  refuses("it updates 'w' with 'clipped', which is not what Gradient gives for it");
  adagrad->set_input(3, "db");
  refuses("it updates 'w' with 'db', which is not what Gradient gives for it");
  adagrad->set_input(3, "dw");
  adagrad->set_output(1, "elsewhere");
  refuses("node 'w_new' (Adagrad): its result 'elsewhere' is not bound to 'h'");
  adagrad->set_output(1, "h_new");
  adagrad->add_input("v");
  refuses("its inputs and outputs are not as many as it needs");
  adagrad->mutable_input()->RemoveLast();
  momentum->mutable_attribute(3)->set_s("fast");
  refuses("node 'b_new' (Momentum): its mode is neither standard nor nesterov");
  momentum->mutable_attribute()->DeleteSubrange(0, 1);
  refuses("its attribute 'alpha' is missing");
}

TEST_F(TrainingInfo, OtherUpdatesAreRefused) {
  node("Mul", {"b", "r"}, {"shrunk"});
  momentum->mutable_output()->Clear();
  momentum->add_output("x_new");
  momentum->add_output("v_new");
  refuses("node 'x_new' (Momentum): its result 'x_new' is not bound to 'b'");
  info->mutable_algorithm()->mutable_node()->DeleteSubrange(6, 1); // the momentum
  info->mutable_update_binding(1)->set_value("shrunk");
  refuses("initializer 'b': it is updated by node 'shrunk' (Mul)");
}

/// Scalars too, where the model's own graph reads them; those of the training graph alone change nothing else.
TEST_F(TrainingInfo, WhatTheLossReadsIsNotUpdatedInAnotherWay) {
  file.initializer(floats("s", {1}, {2}));
  node("Mul", {"s", "r"}, {"s_new"});
  bind("s", "s_new");
  file.proto.mutable_graph()->mutable_node(1)->set_output(0, "sum");
  file.node("Mul", {"sum", "s"}, {"z"});
  refuses("initializer 's': it is updated by node 's_new' (Mul)");
  info->mutable_update_binding(5)->set_key("unread");
  *info->mutable_algorithm()->add_initializer() = floats("unread", {}, {2});
  EXPECT_TRUE(bool(file.import()));
  info->mutable_update_binding()->RemoveLast();
  info->mutable_update_binding(3)->set_key("unread"); // in the place of v, which the momentum then leaves nowhere
  momentum->set_output(1, "");
  refuses("node 'b_new' (Momentum): its result '' is not bound to 'v'");
}

TEST_F(TrainingInfo, LearningRatesDependOnScalarsAlone) {
  node("Mul", {"r_now", "y"}, {"r_loss"});
  adagrad->set_input(0, "r_loss");
  refuses("a learning rate or an update count depends on it, and it is no constant and no state");
  adagrad->set_input(0, "dw");
  refuses("value 'dw': it depends on node 'dw' (Gradient)");
  *info->mutable_algorithm()->add_initializer() = floats("rates", {2}, {1, 2});
  adagrad->set_input(0, "rates");
  refuses("initializer 'rates': a learning rate or an update count depends on it, and it is no scalar of its own");
}

TEST_F(TrainingInfo, StatesBeginWithOneNumber) {
  info->mutable_algorithm()->mutable_initializer(3)->set_float_data(2, 1);
  refuses("state 'h': it does not begin with one number throughout");
  *info->mutable_algorithm()->mutable_initializer(3) = floats("h", {3}, {0, 0, 0});
  refuses("state 'h': it is f32[3], not shaped as 'w', which is f32[2,3]");
}

TEST_F(TrainingInfo, BindingsAreOfInitializersOnce) {
  bind("t", "t_new");
  refuses("update_binding of 't': it is there twice");
  info->mutable_update_binding(5)->set_key("nobody");
  refuses("update_binding of 'nobody': there is no such initializer");
  info->mutable_update_binding()->RemoveLast();
  info->mutable_update_binding(4)->set_value("r_now");
  refuses("update_binding of 't': what it is bound to is of another type");
}

TEST_F(TrainingInfo, OneTrainingGraph) {
  file.proto.add_training_info();
  refuses("it brings 2 training graphs\n  do:  train one of them");
}

} // namespace
} // namespace autotp
