#include "passes/report/summary.h"

#include "compiler/ops/op_def.h"
#include "passes/compiled_model.h"
#include "passes/options/compile_row.h"
#include "passes/options/option_rows.h"
#include "passes/options/recorded_values.h"
#include "passes/plan_source.h"
#include "passes/report/axis_roles.h"
#include "passes/report/module_names.h"
#include "passes/report/parameters.h"
#include "passes/report/references.h"
#include "passes/report/training_lines.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/checkpoint/stored_weights.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/collective.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

#include <map>

namespace autotp {
namespace {

struct Traffic {
  int64_t count = 0, bytes = 0; ///< bytes of the operands of one rank
};

/// The collectives in one step of rank 0, by section, mesh axis and kind. Those of micro-steps count as often as they
/// run.
std::map<std::string, Traffic> trafficOf(const plan::Program &program, int64_t gradAccum) {
  std::map<std::string, Traffic> traffic;
  for (const plan::Section &section : program.sections()) {
    if (section.name() == "evaluate") continue; // outside of steps
    for (const plan::Instruction &step : section.instructions()) {
      if (!step.has_collective()) continue;
      const plan::Collective &c = step.collective();
      int64_t times = section.name() == "optimizer_step" ? 1 : gradAccum, elements = 1;
      for (int64_t d : c.operand().shape())
        elements *= d;
      const plan::MeshAxis axis = program.groups(int(c.group())).axis();
      Traffic &row = traffic[(section.name() + ", " + nameOf(axis) + ": " + nameOf(c.kind())).str()];
      row.count += times;
      row.bytes += times * elements * int64_t(sizeOf(DType(c.operand().dtype())));
    }
  }
  return traffic;
}

int64_t parameterElements(const Graph &graph) {
  int64_t n = 0;
  for (const ParameterInfo &p : graph.parameters)
    n += graph.type(p.value).elements();
  return n;
}

llvm::json::Array integers(llvm::ArrayRef<int64_t> values) {
  llvm::json::Array array;
  for (int64_t v : values)
    array.push_back(v);
  return array;
}

llvm::json::Array parametersJson(const CompiledModel &compiled) {
  llvm::json::Array all;
  for (const ParameterInfo &info : compiled.graph.parameters) {
    const Value &value = compiled.graph.value(info.value);
    llvm::json::Array aliases, sharded;
    for (const auto &alias : info.aliases)
      aliases.push_back(alias.name);
    llvm::ArrayRef<AxisId> terms = compiled.placement.axes.values[info.value];
    for (size_t d = 0; d < terms.size(); ++d)
      if (terms[d] != kNoAxis &&
          isSharded(compiled.placement.axes.arena, terms[d], compiled.placement.chosen.assignment))
        sharded.push_back(int64_t(d));
    all.push_back(llvm::json::Object{{"name", value.name},
                                     {"module_name", moduleNameOf(compiled, value.name)},
                                     {"shape", integers(value.type.shape)},
                                     {"dtype", nameOf(value.type.dtype).str()},
                                     {"tp_dimensions", std::move(sharded)},
                                     {"aliases", std::move(aliases)}});
  }
  return all;
}

/// Each update rule with its numbers and how many parameters it updates.
llvm::json::Object optimizerJson(const CompiledModel &compiled, const CompileOptions &options) {
  llvm::json::Array rules;
  for (auto [i, rule] : indexed(compiled.training.updates.rules)) {
    llvm::json::Object numbers;
    for (const auto &[name, value] : rule.attributes.all())
      numbers[name] =
          std::holds_alternative<double>(value) ? std::get<double>(value) : double(std::get<int64_t>(value));
    int64_t parameters = 0;
    for (const ParameterInfo &info : compiled.graph.parameters)
      parameters += compiled.training.updates.parameters.lookup(compiled.graph.value(info.value).name).rule == i;
    rules.push_back(
        llvm::json::Object{{"update", rule.op}, {"numbers", std::move(numbers)}, {"parameters", parameters}});
  }
  return llvm::json::Object{
      {"name", compiled.source.hasOwnOptimizer ? "the model's own" : nameOf(options.step.optimizer.kind)},
      {"rules", std::move(rules)},
      {"clip_grad_norm", compiled.training.updates.clipGradNorm}};
}

llvm::json::Array axesJson(const CompiledModel &compiled) {
  llvm::json::Array all;
  const auto roles = axisRoles(compiled);
  for (const AxisDecision &d : compiled.placement.chosen.decisions) {
    llvm::json::Array parameters;
    for (ValueId p : d.parameters)
      parameters.push_back(compiled.graph.value(p).name);
    all.push_back(llvm::json::Object{{"axis", d.name},
                                     {"size", d.size},
                                     {"role", roles.lookup(d.leaf)},
                                     {"mesh_axis", d.isChosen ? "tp" : ""},
                                     {"reason", d.reason},
                                     {"parameters", std::move(parameters)}});
  }
  return all;
}

/// Text such as ", parts 2 1" if tp ranks hold different numbers of an axis; empty if all hold the same.
std::string partsText(const CompiledModel &compiled, AxisId leaf) {
  std::string text;
  bool isEven = true;
  llvm::ArrayRef<Interval> parts = compiled.placement.chosen.assignment.intervals(leaf);
  for (const Interval &part : parts) {
    text += (text.empty() ? "" : " ") + std::to_string(part.end - part.begin);
    isEven &= part.end - part.begin == parts[0].end - parts[0].begin;
  }
  return isEven ? "" : ", parts " + text;
}

/// Floating-point operations of all nodes.
double flopsOf(const Graph &graph) {
  double flops = 0;
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next)
    flops += flopsOf(graph, graph.node(id));
  return flops;
}

/// The FLOPs of the busiest tp rank divided by their mean; 1 if all have the same.
double imbalance(const CompiledModel &compiled) {
  double most = 0, sum = 0;
  for (const RankProgram &program : compiled.ranks.programs) {
    double work = flopsOf(program.microStep.graph);
    most = std::max(most, work);
    sum += work;
  }
  return sum > 0 ? most * double(compiled.ranks.programs.size()) / sum : 1;
}

std::string bytesText(uint64_t bytes) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (bytes < 1024)
    os << bytes << " B";
  else if (bytes < (1 << 20))
    os << llvm::format("%.1f KiB", double(bytes) / 1024);
  else
    os << llvm::format("%.1f MiB", double(bytes) / (1 << 20));
  return os.str();
}

/// The text with "*" for numbers of layers, so that equal layers read alike: "layers.3.mlp" becomes "layers.*.mlp".
std::string withoutLayer(llvm::StringRef text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    size_t end = i;
    while (end < text.size() && llvm::isDigit(text[end]))
      ++end;
    bool isLayer = end > i && i > 0 && text[i - 1] == '.' && end < text.size() && text[end] == '.';
    out += isLayer ? '*' : text[i];
    if (isLayer) i = end - 1;
  }
  return out;
}

/// What is sharded and what stays whole, equal layers on one line.
void printAxes(const CompiledModel &compiled, llvm::raw_ostream &os) {
  struct Row {
    std::string role, first, rest; ///< "heads: ", the name of the first of them, and what all share
    int count = 0;
  };
  std::vector<Row> sharded;
  llvm::StringMap<size_t> places; // indices of rows, by what equal layers share; only looked up
  std::map<std::string, std::pair<int, std::string>> whole; // by reason
  const auto roles = axisRoles(compiled);
  for (const AxisDecision &d : compiled.placement.chosen.decisions) {
    std::string name = withModuleNames(compiled, d.name);
    if (!d.isChosen) {
      ++whole.try_emplace(withoutLayer(withModuleNames(compiled, d.reason)), 0, name).first->second.first;
      continue;
    }
    std::string rest = llvm::formatv(" (size {0}, {1} parameter{2}{3})", d.size, d.parameters.size(),
                                     d.parameters.size() == 1 ? "" : "s", partsText(compiled, d.leaf))
                           .str();
    const llvm::StringRef role = roles.lookup(d.leaf);
    auto [at, isNew] = places.try_emplace(withoutLayer(name) + rest, sharded.size());
    if (isNew) sharded.push_back({role.empty() ? "" : role.str() + ": ", name, rest});
    ++sharded[at->second].count;
  }
  for (const Row &row : sharded)
    os << "sharded     " << row.role
       << (row.count > 1 ? std::to_string(row.count) + " x " + withoutLayer(row.first) : row.first) << row.rest << "\n";
  for (const auto &[reason, row] : whole) {
    os << "whole       " << row.second;
    if (row.first > 1) os << " and " << row.first - 1 << " more";
    os << ": " << reason << "\n";
  }
}

std::string recomputeText(Recompute what, unsigned values) {
  if (values > 0) return llvm::formatv("{0} values of the forward are computed again in the backward", values).str();
  return what == Recompute::Attention ? "nothing: no scores are kept, attention is fused"
                                      : "nothing: no layer was found";
}

/// Prints how parameters that lie in slices over dp (ZeRO 3) are gathered.
void printGathered(const CompiledModel &compiled, llvm::raw_ostream &os) {
  int64_t buckets = 0, largest = 0;
  for (const plan::Bucket &bucket : compiled.ranks.emitted[0].buckets()) {
    if (elementsOf(bucket.parameters()) == bucket.elements()) continue;
    ++buckets;
    largest = std::max(largest, bucket.elements() * int64_t(sizeOf(DType(bucket.parameters().dtype()))));
  }
  if (buckets)
    os << "parameters  in slices over dp; " << buckets << " buckets of up to " << bytesText(uint64_t(largest))
       << " are gathered before their use, among the activations\n";
}

/// Prints the memory of each tp rank; neighbours that need the same share a line.
void printMemory(const CompiledModel &compiled, llvm::raw_ostream &os) {
  std::vector<std::string> texts;
  for (const plan::Program &program : compiled.ranks.emitted) {
    std::string &text = texts.emplace_back(bytesText(program.arena_bytes()) + " (");
    for (const plan::Region &region : program.regions())
      text += (text.back() == '(' ? "" : ", ") + region.name() + " " + bytesText(region.bytes());
    text += ")";
  }
  for (size_t from = 0, to = 0; from < texts.size(); from = to) {
    while (to < texts.size() && texts[to] == texts[from])
      ++to;
    os << "memory      tp rank" << (to - from > 1 ? "s " : " ") << from;
    if (to - from > 1) os << " to " << to - 1;
    os << ": " << texts[from] << "\n";
  }
}

} // namespace

/// Where the weights came from; null for those of the graph, and for random ones.
static llvm::json::Value weightsJson(const CompiledModel &compiled, const WeightsOptions &weights) {
  if (weights.path.empty()) return nullptr;
  const StoredWeights &stored = *compiled.weights.stored;
  return llvm::json::Object{{"path", stored.path()},
                            {"digest", stored.digest()},
                            {"tensors", int64_t(stored.tensors().size())},
                            {"passed_over", int64_t(compiled.weights.passedOver)},
                            {"assumed_transposed", int64_t(compiled.weights.assumed)}};
}

Manifest describe(const CompiledModel &compiled, const CompileOptions &options) {
  Manifest m;
  for (const CompileRow *row : optionRows())
    writeField(*row, options, m);
  m.weightsKind = compiled.weights.areReferenced ? "reference" : options.weights.areGiven ? "copy" : "none";
  if (compiled.weights.areReferenced) m.referenced = referencesTo(compiled);
  m.weightsSeed = options.weights.seed;
  m.modelFlops = flopsOf(compiled.graph) * options.step.dp * options.step.gradAccum;
  m.lossKind = compiled.training.objective.kind == LossKind::CrossEntropySum ? "cross_entropy_sum" : "mean";
  for (auto [i, id] : indexed(compiled.graph.sources(ValueKind::Input))) {
    const Value &input = compiled.graph.value(id);
    if (input.uses.empty()) continue; // the user may feed it or not
    const InputRole &role = compiled.training.inputs[i];
    Manifest::Input &row = m.inputs.emplace_back();
    row = {input.name, nameOf(input.type.dtype).str(), role.role, {}, role.isBatched, role.limit, {}, role.ignored};
    row.shape.assign(input.type.shape.begin(), input.type.shape.end());
    for (const InputBound &bound : role.bounds)
      row.bounds.push_back({bound.of, bound.limit, bound.places});
  }
  m.microBatch = compiled.training.microBatch;
  llvm::json::Array collectives, memory;
  for (const auto &[name, row] : trafficOf(compiled.ranks.emitted[0], m.gradAccum))
    collectives.push_back(llvm::json::Object{{"what", name}, {"count", row.count}, {"bytes", row.bytes}});
  for (const plan::Program &program : compiled.ranks.emitted) {
    llvm::json::Object regions;
    for (const plan::Region &region : program.regions())
      regions[region.name()] = int64_t(region.bytes());
    memory.push_back(
        llvm::json::Object{{"arena_bytes", int64_t(program.arena_bytes())}, {"regions", std::move(regions)}});
  }
  m.source = sourceOf(options, compiled.source.digest);
  m.report = llvm::json::Object{{"model_digest", compiled.source.digest},
                                {"weights", weightsJson(compiled, options.weights)},
                                {"optimizer", optimizerJson(compiled, options)},
                                {"imbalance", imbalance(compiled)},
                                {"parameters", parametersJson(compiled)},
                                {"initializers", initializersJson(compiled)},
                                {"axes", axesJson(compiled)},
                                {"collectives_of_rank_0", std::move(collectives)},
                                {"memory_by_tp_rank", std::move(memory)}};
  return m;
}

/// Prints over what the loss is averaged.
static void printLoss(const CompiledModel &compiled, const StepOptions &step, llvm::raw_ostream &os) {
  const LossTerms &terms = compiled.training.lossTerms;
  os << "loss        ";
  if (compiled.training.objective.kind == LossKind::CrossEntropySum)
    os << "cross-entropy, mean over the valid labels of the global batch\n";
  else if (int64_t(step.dp) * step.gradAccum == 1)
    os << "as the graph says, of the one micro-batch that a step has\n";
  else if (compiled.source.hasOwnBackward)
    os << "mean over micro-batches and dp ranks: the model brings its own backward\n";
  else
    os << (terms.isSum ? "the global batch's, a sum over its samples" : "the global batch's")
       << (terms.statistics == 0   ? ""
           : terms.statistics == 1 ? "; it divides by a sum of inputs over all of it, which is taken first"
                                   : "; it divides by sums of inputs over all of it, which are taken first")
       << "\n";
  for (const std::string &node : terms.ofMicroBatches)
    os << "note        '" << escaped(node)
       << "' mixes samples with parameters: it is computed within each micro-batch\n";
}

/// Prints which files fill the weights.
static void printWeights(const CompiledModel &compiled, const WeightsOptions &weights, llvm::raw_ostream &os) {
  if (!compiled.weights.whyCopied.empty())
    os << "weights     more than 1 GiB is copied: " << compiled.weights.whyCopied << "\n";
  if (!compiled.weights.stored) return;
  const NamePrefix &prefix = compiled.weights.prefix;
  os << "weights     from " << escaped(weights.path.empty() ? "the model's own files" : compiled.weights.stored->path())
     << ", " << compiled.weights.stored->tensors().size() << " tensors";
  if (compiled.weights.passedOver) os << ", of which " << compiled.weights.passedOver << " are no weights";
  if (!prefix.text.empty())
    os << "; its names " << (prefix.isOfFile ? "have '" : "lack '") << escaped(prefix.text) << "' in front";
  if (compiled.weights.areReferenced)
    os << "; none is copied: ranks read them when a run begins, so leave them there, as they are";
  os << "\n";
  if (compiled.weights.assumed)
    os << "note        TorchScript does not say how it made " << compiled.weights.assumed
       << " matrices: they are filled as transposed, which is what it does for nn.Linear\n";
}

void printSummary(const CompiledModel &compiled, const CompileOptions &options, llvm::raw_ostream &os) {
  const Graph &g = compiled.graph;
  const StepOptions &s = options.step;
  os << "model       " << options.model << ", " << g.parameters.size() << " parameters, "
     << llvm::format("%.2f", double(parameterElements(g)) / 1e6) << " M elements\n";
  printWeights(compiled, options.weights, os);
  printTrained(compiled, os);
  for (const std::string &tie : compiled.evidence.retied)
    os << "tied        " << tie << "\n";
  for (const std::string &pair : compiled.evidence.equalWeights)
    os << "note        equal weights are trained apart: " << pair << "\n";
  for (const std::string &note : compiled.source.notes)
    os << "note        " << note << "\n";
  for (const std::string &name : compiled.training.objective.untrained)
    os << "constant    " << name << ": the loss does not depend on it\n";
  printConstants(compiled, os);
  for (const InputRole &input : compiled.training.inputs)
    os << textOf(input) << "\n";
  printLoss(compiled, s, os);
  if (compiled.training.dtype != DType::F32)
    os << "dtype       " << nameOf(compiled.training.dtype)
       << ", with f32 master weights, states, norms, softmax and loss"
       << (compiled.training.dtype == DType::F16 ? ", and a dynamic loss scale" : "") << "\n";
  if (compiled.source.hadDoubles) os << "note        parameters or inputs are float64: all is computed in f32\n";
  os << "mesh        tp " << s.tp << " x dp " << s.dp << ", ZeRO " << s.zero << ", grad-accum " << s.gradAccum << "\n";
  printTraining(compiled, options, os);
  if (options.recompute != Recompute::None)
    os << "recompute   " << recomputeText(options.recompute, compiled.ranks.recomputed) << "\n";
  printAxes(compiled, os);
  constexpr double kEven = 1.01;
  if (double busiest = imbalance(compiled); busiest > kEven)
    os << "imbalance   the busiest tp rank works " << llvm::format("%.2f", busiest) << " times the mean\n";
  for (const auto &[name, row] : trafficOf(compiled.ranks.emitted[0], s.gradAccum))
    os << "collective  " << name << ", " << row.count << " times, " << bytesText(uint64_t(row.bytes)) << "\n";
  printGathered(compiled, os);
  printMemory(compiled, os);
}

} // namespace autotp
