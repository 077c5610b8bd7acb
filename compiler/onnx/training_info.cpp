#include "compiler/onnx/training_info.h"

#include "compiler/onnx/training_graph.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

using Attribute = onnx::AttributeProto;

/// An update operator of ONNX and ours. `numbers` are its attributes: their name, our name, and the default, which is
/// NaN if there is none.
struct OptimizerOp {
  const char *name, *update;
  int states;
  struct Number {
    const char *theirs, *ours;
    double otherwise;
  };
  llvm::SmallVector<Number, 5> numbers;
};
const OptimizerOp kOptimizers[] = {
    {"Adam",
     "adam",
     2,
     {{"alpha", "beta1", 0.9f},
      {"beta", "beta2", 0.999f},
      {"epsilon", "epsilon", 1e-6f},
      {"norm_coefficient", "l2", 0},
      {"norm_coefficient_post", "shrink_after", 0}}},
    {"Adagrad",
     "adagrad",
     1,
     {{"epsilon", "epsilon", 1e-6f}, {"norm_coefficient", "l2", 0}, {"decay_factor", "rate_decay", 0}}},
    {"Momentum", "momentum", 1, {{"alpha", "momentum", NAN}, {"beta", "beta", NAN}, {"norm_coefficient", "l2", NAN}}},
};

const OptimizerOp *optimizerOf(const onnx::NodeProto &node) {
  for (const OptimizerOp &op : kOptimizers)
    if (isTrainingOperator(node) && node.op_type() == op.name) return &op;
  return nullptr;
}

const Attribute *attributeOf(const onnx::NodeProto &node, llvm::StringRef name, Attribute::AttributeType type) {
  for (const Attribute &attribute : node.attribute())
    if (attribute.name() == name && attribute.type() == type) return &attribute;
  return nullptr;
}

class TrainingInfo {
public:
  explicit TrainingInfo(Importer &importer) : importer_(importer), graph_(importer) {}

  llvm::Error run() {
    if (llvm::Error error = graph_.readNames()) return error;
    if (llvm::Error error = graph_.initialise()) return error;
    for (const onnx::NodeProto &node : graph_.algorithm().node())
      if (isTrainingOperator(node) && !optimizerOf(node))
        if (llvm::Error error = readGradient(node)) return error;
    if (loss_.empty())
      return problem(importer_.path(), "its training graph has no Gradient", "save it without training_info");
    for (const onnx::NodeProto &node : graph_.algorithm().node())
      if (const OptimizerOp *op = optimizerOf(node))
        if (llvm::Error error = readOptimizer(node, *op)) return error;
    if (llvm::Error error = addLoss()) return error;
    if (llvm::Error error = checkParameters()) return error;
    if (llvm::Error error = addSchedule(importer_, graph_, updates_)) return error;
    importer_.model.updates = std::move(updates_);
    return llvm::Error::success();
  }

private:
  bool isGraphInput(llvm::StringRef name) const {
    for (const auto *list : {&importer_.proto().graph().input(), &graph_.algorithm().input()})
      for (const auto &input : *list)
        if (input.name() == name) return true;
    return false;
  }

  /// Whether the name is that of a float initializer of the model's graph.
  bool isWeight(llvm::StringRef name) const {
    auto value = importer_.scope.find(name);
    return value && importer_.model.graph.value(*value).kind == ValueKind::Parameter;
  }

  llvm::Error readGradient(const onnx::NodeProto &node) {
    const Attribute *xs = attributeOf(node, "xs", Attribute::STRINGS),
                    *zs = attributeOf(node, "zs", Attribute::STRINGS), *y = attributeOf(node, "y", Attribute::STRING);
    if (!xs || !y || node.output_size() > xs->strings_size())
      return problem(whereOf(node), "its attributes xs and y are missing, or it has more outputs than xs");
    std::vector<std::string> names(xs->strings().begin(), xs->strings().end());
    if (zs) names.insert(names.end(), zs->strings().begin(), zs->strings().end());
    for (auto [i, name] : indexed(names)) {
      const bool isOfWeight = int(i) < xs->strings_size();
      if (isOfWeight && !isWeight(name))
        return problem(whereOf(node), "it asks for the gradient of '" + escaped(name) + "', which is no weight",
                       "name initializers of the model's graph in xs");
      if (!isOfWeight && !isGraphInput(name) && !graph_.initializers.count(name))
        return problem(whereOf(node), "it holds '" + escaped(name) + "' fixed, which is no input and no initializer",
                       "name inputs of the graph in zs");
      if (int(i) >= node.input_size() || node.input(int(i)) != name)
        return problem(whereOf(node), "it evaluates '" + escaped(name) + "' at another value than its own",
                       "give it the tensors that xs and zs name");
    }
    if (!loss_.empty() && loss_ != y->s())
      return problem(whereOf(node),
                     "it differentiates '" + escaped(y->s()) + "', another Gradient '" + escaped(loss_) + "'",
                     "train one loss");
    loss_ = y->s();
    for (auto [i, output] : indexed(node.output()))
      gradientOf_[output] = xs->strings(int(i));
    return llvm::Error::success();
  }

  llvm::Expected<UpdateRule> ruleOf(const onnx::NodeProto &node, const OptimizerOp &op) const {
    UpdateRule rule;
    rule.op = op.update;
    for (const OptimizerOp::Number &number : op.numbers) {
      const Attribute *given = attributeOf(node, number.theirs, Attribute::FLOAT);
      if (!given && std::isnan(number.otherwise))
        return problem(whereOf(node), std::string("its attribute '") + number.theirs + "' is missing");
      rule.attributes.set(number.ours, given ? double(given->f()) : number.otherwise);
    }
    rule.rate = node.input(0);
    rule.count = node.input(1);
    if (rule.op != "momentum") return rule;
    const Attribute *mode = attributeOf(node, "mode", Attribute::STRING);
    if (!mode || (mode->s() != "nesterov" && mode->s() != "standard"))
      return problem(whereOf(node), "its mode is neither standard nor nesterov");
    rule.attributes.set("nesterov", int64_t(mode->s() == "nesterov"));
    return rule;
  }

  /// Inputs are R and T, then the parameters, gradients and each kind of state; outputs are the new parameters and
  /// states.
  llvm::Error readOptimizer(const onnx::NodeProto &node, const OptimizerOp &op) {
    const int each = 2 + op.states, n = (node.input_size() - 2) / each;
    if (n < 1 || node.input_size() != 2 + n * each || node.output_size() != n * (1 + op.states))
      return problem(whereOf(node), "its inputs and outputs are not as many as it needs");
    for (int i = 0; i < n; ++i) {
      const std::string &x = node.input(2 + i), &g = node.input(2 + n + i);
      auto of = gradientOf_.find(g);
      if (of == gradientOf_.end() || of->second != x)
        return problem(whereOf(node),
                       "it updates '" + escaped(x) + "' with '" + escaped(g) +
                           "', which is not what Gradient gives for it",
                       "give it the gradient itself; --clip-grad-norm is for models without a training graph");
      llvm::Expected<UpdateRule> rule = ruleOf(node, op);
      if (!rule) return rule.takeError();
      if (llvm::Error error = checkBinding(node, x, node.output(i))) return error;
      for (int k = 0; k < op.states; ++k) {
        const std::string &state = node.input(2 + (2 + k) * n + i);
        if (llvm::Error error = checkBinding(node, state, node.output((1 + k) * n + i))) return error;
        llvm::Expected<float> initial = initialNumber(state, x);
        if (!initial) return initial.takeError();
        rule->initial.push_back(*initial);
      }
      updates_.parameters[x] = {indexOf(*rule), true};
    }
    return llvm::Error::success();
  }

  /// Checks that the new value of an initializer is bound to it, and that nothing else updates it.
  llvm::Error checkBinding(const onnx::NodeProto &node, const std::string &name, const std::string &output) {
    if (!graph_.next.count(name) || graph_.next.lookup(name) != output)
      return problem(whereOf(node), "its result '" + escaped(output) + "' is not bound to '" + escaped(name) + "'",
                     "add it to update_binding");
    if (graph_.updated.insert({name, true}).second) return llvm::Error::success();
    return problem(whereOf(node), "'" + escaped(name) + "' is updated twice");
  }

  llvm::Expected<float> initialNumber(const std::string &state, const std::string &parameter) const {
    llvm::Expected<Tensor> tensor = graph_.initialOf(state);
    if (!tensor) return tensor.takeError();
    const Array values = toArray(*tensor);
    const Type &type = importer_.model.graph.type(*importer_.scope.find(parameter));
    if (!(tensor->type.shape == type.shape))
      return problem("state '" + escaped(state) + "'", "it is " + tensor->type.text() + ", not shaped as '" +
                                                           escaped(parameter) + "', which is " + type.text());
    if (llvm::any_of(values.data, [&](double value) { return value != values.data[0]; }))
      return problem("state '" + escaped(state) + "'", "it does not begin with one number throughout",
                     "let training begin anew, with zeros there");
    return values.data.empty() ? 0.0f : float(values.data[0]);
  }

  unsigned indexOf(const UpdateRule &rule) {
    for (auto [i, known] : indexed(updates_.rules))
      if (known.op == rule.op && known.attributes == rule.attributes && known.initial == rule.initial &&
          known.rate == rule.rate && known.count == rule.count)
        return unsigned(i);
    updates_.rules.push_back(rule);
    return unsigned(updates_.rules.size() - 1);
  }

  /// Adds the inputs, initializers and nodes with which the training graph computes the loss.
  llvm::Error addLoss() {
    Importer::Inputs inputs;
    for (const auto &input : graph_.algorithm().input())
      if (!importer_.scope.find(input.name()) && !graph_.initializers.count(input.name())) *inputs.Add() = input;
    if (llvm::Error error = importer_.addInputs(inputs)) return error;
    TrainingGraph::Wanted nodes, begins;
    if (llvm::Error error = graph_.collect(loss_, nodes, begins)) return error;
    for (const auto &initializer : graph_.algorithm().initializer()) {
      if (!begins.count(initializer.name())) continue;
      if (graph_.next.count(initializer.name()))
        return problem("value '" + escaped(loss_) + "'",
                       "it depends on the state '" + escaped(initializer.name()) + "'",
                       "a loss may depend on weights, inputs and constants");
      if (llvm::Error error = importer_.addInitializer(initializer)) return error;
    }
    if (llvm::Error error = importer_.addNodes(graph_.inOrder(nodes))) return error;
    auto loss = importer_.scope.find(loss_);
    if (!loss) return problem("value '" + escaped(loss_) + "'", "Gradient differentiates it, but nothing computes it");
    importer_.model.graph.outputs = {{loss_, *loss}};
    return llvm::Error::success();
  }

  llvm::Error checkParameters() const {
    if (updates_.parameters.empty()) return problem(importer_.path(), "its training graph updates no weight");
    for (const auto &entry : graph_.info().update_binding()) {
      const bool isScalar = TrainingGraph::isScalar(*graph_.initializers.lookup(entry.key()));
      if (graph_.updated.count(entry.key()) || (isScalar && !isReadByTheLoss(entry.key()))) continue;
      const onnx::NodeProto *node = graph_.producers.lookup(entry.value());
      return problem("initializer '" + escaped(entry.key()) + "'",
                     "it is updated by " + (node ? whereOf(*node) : "'" + escaped(entry.value()) + "'"),
                     "only Adam, Adagrad and Momentum of ai.onnx.preview.training may update what the loss depends on");
    }
    return llvm::Error::success();
  }

  /// A constant may have been folded, so it counts as read if the model's graph has it at all.
  bool isReadByTheLoss(llvm::StringRef name) const {
    auto value = importer_.scope.find(name);
    if (!value) return false;
    return importer_.model.graph.value(*value).kind == ValueKind::Constant ||
           !importer_.model.graph.value(*value).uses.empty();
  }

  Importer &importer_;
  TrainingGraph graph_;
  Updates updates_;
  std::string loss_;                        ///< the name of the loss
  llvm::StringMap<std::string> gradientOf_; ///< by output of a Gradient, its parameter; only looked up
};

} // namespace

bool isTrainingOperator(const onnx::NodeProto &node) {
  if (node.domain() != "ai.onnx.preview.training") return false;
  return node.op_type() == "Gradient" ||
         llvm::any_of(kOptimizers, [&](const OptimizerOp &op) { return node.op_type() == op.name; });
}

llvm::Error importTrainingInfo(Importer &importer) {
  if (const int graphs = importer.proto().training_info_size(); graphs != 1)
    return problem(importer.path(), "it brings " + std::to_string(graphs) + " training graphs",
                   "train one of them: save it with one training_info");
  return TrainingInfo(importer).run();
}

} // namespace autotp
