// compiler/onnx/training_schedule.cpp: the learning rates and update counts of a training graph, and the nodes that
// compute them.
#include "compiler/onnx/training_graph.h"
#include "compiler/onnx/training_info.h"

namespace autotp {
namespace {

class Schedule {
public:
  Schedule(Importer &importer, TrainingGraph &graph, Updates &updates)
      : importer_(importer), graph_(graph), schedule_(importer.another()), updates_(updates) {}

  /// Adds learning rates, update counts, and the scalars on which they depend.
  llvm::Error run() {
    TrainingGraph::Wanted nodes, begins;
    for (const UpdateRule &rule : updates_.rules)
      for (const std::string *name : {&rule.rate, &rule.count})
        if (llvm::Error error = graph_.collect(*name, nodes, begins)) return error;
    for (bool isGrowing = true; isGrowing;) { // the next value of a state may depend on further states
      const size_t before = begins.size() + nodes.size();
      for (const auto &entry : graph_.info().update_binding())
        if (begins.count(entry.key()))
          if (llvm::Error error = graph_.collect(entry.value(), nodes, begins)) return error;
      isGrowing = begins.size() + nodes.size() > before;
    }
    if (llvm::Error error = addSources(begins)) return error;
    if (llvm::Error error = schedule_.addNodes(graph_.inOrder(nodes))) return error;
    Graph &graph = schedule_.model.graph;
    for (ValueId state : graph.sources(ValueKind::State)) {
      const std::string name = graph.value(state).name;
      auto next = schedule_.scope.find(graph_.next.lookup(name));
      if (!next || !(graph.type(*next) == graph.type(state)))
        return problem("update_binding of '" + escaped(name) + "'", "what it is bound to is of another type");
      graph.outputs.push_back({Updates::nextName(name), *next});
    }
    for (UpdateRule &rule : updates_.rules)
      for (std::string *name : {&rule.rate, &rule.count})
        if (llvm::Error error = addScalar(*name)) return error;
    updates_.schedule = std::move(graph);
    return llvm::Error::success();
  }

private:
  /// Adds scalars of both graphs in their order: as states if they are updated, else as constants.
  llvm::Error addSources(TrainingGraph::Wanted &begins) {
    for (const auto *graph : {&importer_.proto().graph(), &graph_.algorithm()})
      for (const onnx::TensorProto &initializer : graph->initializer()) {
        const std::string &name = initializer.name();
        if (!begins.erase(name)) continue;
        const std::string where = "initializer '" + escaped(name) + "'";
        if (!TrainingGraph::isScalar(initializer) || graph_.updated.count(name))
          return problem(where, "a learning rate or an update count depends on it, and it is no scalar of its own");
        llvm::Expected<Tensor> tensor = graph_.initialOf(name);
        if (!tensor) return tensor.takeError();
        Graph &schedule = schedule_.model.graph;
        if (graph_.next.count(name)) updates_.initial.push_back(*tensor);
        const ValueId value =
            graph_.next.count(name) ? schedule.addState(name, tensor->type) : schedule.addConstant(name, *tensor);
        if (llvm::Error error = schedule_.scope.define(name, value)) return error;
      }
    std::vector<std::string> others;
    for (const auto &begin : begins)
      others.push_back(begin.first().str());
    llvm::sort(others);
    if (others.empty()) return llvm::Error::success();
    return problem("value '" + escaped(others[0]) + "'",
                   "a learning rate or an update count depends on it, and it is no constant and no state",
                   "compute it from scalar initializers");
  }

  /// Adds an f32 output for a learning rate or a count. A state gets a copy, since its own value changes in the step.
  llvm::Error addScalar(std::string &name) {
    Graph &graph = schedule_.model.graph;
    auto value = schedule_.scope.find(name);
    if (!value || graph.type(*value).elements() != 1)
      return problem("value '" + escaped(name) + "'", "it is a learning rate or an update count, and no scalar");
    const std::string output = "scalar:" + name;
    const bool isKnown = llvm::any_of(graph.outputs, [&](const Output &known) { return known.name == output; });
    name = output;
    if (isKnown) return llvm::Error::success();
    const Type scalar{DType::F32, {}};
    ValueId made = *value;
    if (graph.value(made).kind == ValueKind::Constant) {
      made = graph.addConstant(output, scalarTensor(DType::F32, toArray(*graph.value(made).contents).data[0]));
    } else {
      Builder b(graph);
      b.origin = output;
      const bool isState = graph.value(made).kind == ValueKind::State;
      if (graph.type(made).dtype != DType::F32)
        made = b.makeTyped("cast", {made}, Type{DType::F32, graph.type(made).shape});
      else if (isState)
        made = b.make("mul", {made, b.scalar(DType::F32, 1)});
      made = b.reshape(made, {});
    }
    graph.outputs.push_back({output, made});
    return llvm::Error::success();
  }

  Importer &importer_;
  TrainingGraph &graph_;
  Importer schedule_;
  Updates &updates_;
};

} // namespace

llvm::Error addSchedule(Importer &importer, TrainingGraph &graph, Updates &updates) {
  return Schedule(importer, graph, updates).run();
}

} // namespace autotp
