#include "tests/equivalence/fixture.h"
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "tests/fixtures/run_fixture.h"

#include "passes/emit/emit_program.h"
#include "passes/pipeline.h"
#include "passes/report/plan_contents.h"
#include "passes/report/summary.h"
#include "runtime/base/error.h"
#include "runtime/base/philox.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

namespace autotp::test {
namespace {

std::map<std::string, std::vector<double>> readTensors(const std::string &path) {
  SafetensorsFile file = llvm::cantFail(readSafetensors(path));
  std::map<std::string, std::vector<double>> all;
  for (const NamedTensor &tensor : file.tensors) {
    std::vector<double> &values = all[tensor.name];
    values.resize(tensor.bytes.size() / sizeOf(tensor.dtype));
    for (size_t i = 0; i < values.size(); ++i) {
      float narrow;
      if (tensor.dtype == DType::F64) {
        std::memcpy(&values[i], tensor.bytes.data() + 8 * i, 8);
        continue;
      }
      std::memcpy(&narrow, tensor.bytes.data() + 4 * i, 4);
      values[i] = narrow;
    }
  }
  return all;
}

double normOf(const std::vector<double> &x) {
  double sum = 0;
  for (double v : x)
    sum += v * v;
  return std::sqrt(sum);
}

double distance(const std::vector<double> &a, const std::vector<double> &b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

/// The distance of a run's tensor from the measures of the true one: what the norms differ by, and the root mean square
/// of what the projections differ by, which estimates the norm of the difference.
double distance(const Measures &expected, const std::vector<double> &values) {
  double sum = 0;
  for (size_t j = 0; j < expected.projections.size(); ++j) {
    double projection = 0;
    for (size_t i = 0; i < values.size(); ++i)
      projection += philox(j, i, 0)[0] & 1 ? values[i] : -values[i];
    sum += (projection - expected.projections[j]) * (projection - expected.projections[j]);
  }
  return std::max(std::sqrt(sum / double(expected.projections.size())), std::fabs(normOf(values) - expected.norm));
}

/// What a run is off by, as shares of the bounds; and each bound that is broken, in words.
struct Comparison {
  const Expected &expected;
  const Trained &run;
  const Bounds &bounds;
  Deviations worst = {};
  std::vector<std::string> broken = {};

  void check(double &worstShare, double off, double bound, const std::string &what) {
    worstShare = std::max(worstShare, off <= 0 ? 0 : off / bound);
    if (!(off <= bound)) broken.push_back(llvm::formatv("{0}: off by {1:e}, bound {2:e}", what, off, bound).str());
  }

  void compareLosses() {
    for (size_t i = 0; i < run.losses.size(); ++i) {
      double off = std::fabs(run.losses[i] / expected.losses[i] - 1);
      worst.loss = std::max(worst.loss, off);
      double share = 0;
      check(share, off, i == 0 ? bounds.firstLoss : bounds.laterLosses, "loss of step " + std::to_string(i + 1));
    }
  }

  /// Elements that float32 does not determine may end as far off as the steps are long.
  void compareMeasures() {
    for (const auto &[name, truth] : expected.measured) {
      auto gradient = run.gradients.find(name), weight = run.weights.find(name);
      if (gradient == run.gradients.end() || weight == run.weights.end()) {
        broken.push_back(name + " is not trained");
        continue;
      }
      check(worst.gradient, distance(truth.gradient, gradient->second),
            bounds.gradient * truth.gradient.norm + bounds.globalGradient * expected.gradientNorm,
            "gradient of " + name);
      if (!bounds.hasWeights) continue;
      check(worst.weight, distance(truth.weight, weight->second),
            5e-4 * truth.weight.norm +
                2 * double(expected.steps) * expected.optimizer.lr.peak * std::sqrt(double(truth.undetermined)),
            "weights of " + name);
    }
  }

  void compareGradients() {
    double global = 0;
    for (const auto &[name, gradient] : expected.gradients)
      global += normOf(gradient) * normOf(gradient);
    for (const auto &[name, gradient] : expected.gradients) {
      auto at = run.gradients.find(name);
      if (at == run.gradients.end() || at->second.size() != gradient.size())
        broken.push_back("gradient of " + name + " is missing");
      else
        check(worst.gradient, distance(gradient, at->second),
              bounds.gradient * normOf(gradient) + bounds.globalGradient * std::sqrt(global), "gradient of " + name);
    }
  }

  /// Elements whose gradient is tiny may step either way: they are bounded by the steps' lengths.
  void compareWeights() {
    for (const auto &[name, weights] : expected.weights) {
      auto at = run.weights.find(name);
      auto gradient = expected.gradients.find(name);
      if (at == run.weights.end() || at->second.size() != weights.size() || gradient == expected.gradients.end()) {
        broken.push_back("weights of " + name + " are missing");
        continue;
      }
      double off = 0, size = 0, farthest = 0;
      for (size_t i = 0; i < weights.size(); ++i) {
        double d = std::fabs(weights[i] - at->second[i]);
        if (std::fabs(gradient->second[i]) < 1e-7) {
          farthest = std::max(farthest, d);
          continue;
        }
        off += d * d;
        size += weights[i] * weights[i];
      }
      double share = 0;
      check(worst.weight, std::sqrt(off), 5e-4 * std::sqrt(size) + 1e-12, "weights of " + name);
      check(share, farthest, 2 * double(expected.steps) * expected.optimizer.lr.peak, "one weight of " + name);
    }
  }

  void compareAll() {
    if (run.losses.size() != expected.losses.size()) return broken.push_back("not all steps were run");
    compareLosses();
    compareGradients();
    if (bounds.hasWeights) compareWeights();
    compareMeasures();
    for (const auto &[name, gradient] : run.gradients)
      if (!expected.gradients.count(name) && !expected.measured.count(name))
        broken.push_back(name + " is trained and is no parameter of the model");
  }
};

std::vector<int64_t> shardedSizes(const std::string &plan) {
  std::vector<int64_t> sizes;
  Manifest manifest = llvm::cantFail(readManifest(plan));
  for (const llvm::json::Value &axis : *manifest.report.getArray("axes"))
    if (axis.getAsObject()->getString("mesh_axis") == llvm::StringRef("tp"))
      sizes.push_back(*axis.getAsObject()->getInteger("size"));
  llvm::sort(sizes);
  return sizes;
}

Measures readMeasures(const llvm::json::Object &object) {
  Measures measures{*object.getNumber("l2"), {}};
  for (const llvm::json::Value &projection : *object.getArray("projections"))
    measures.projections.push_back(*projection.getAsNumber());
  return measures;
}

/// What a family's expected.json says in place of whole tensors.
void readMeasured(const llvm::json::Object &object, Expected &expected) {
  for (const auto &[name, size] : *object.getObject("sizes"))
    expected.sizes[name.str()] = *size.getAsInteger();
  for (const auto &[name, value] : *object.getObject("initializers")) {
    const llvm::json::Object &entry = *value.getAsObject();
    expected.measured[name.str()] = {readMeasures(*entry.getObject("gradient")),
                                     readMeasures(*entry.getObject("weight")), *entry.getInteger("undetermined")};
  }
}

/// autotp-run as processes.
llvm::Error launch(const RunAs &runAs, const TrainOptions &o) {
  std::string command =
      llvm::formatv("{0} {1}/bin/autotp-run {2} --steps {3} --feed {4} --threads 1 --log {5} --dump-gradients {6} "
                    "--save-weights {7} --comm {8} --quiet",
                    runAs.launcher, AUTOTP_BINARY_DIR, o.plan, o.steps, o.feed, o.log, o.dumpGradients, o.saveWeights,
                    runAs.comm)
          .str();
  if (int code = std::system(command.c_str())) return problem(command, llvm::formatv("it ended with {0}", code).str());
  return llvm::Error::success();
}

/// Tensors of initializers that the exporter renamed go by the parameter's own name where that is the one recorded.
void callAsRecorded(std::map<std::string, std::vector<double>> &tensors, const Expected &expected,
                    const CompiledModel &compiled) {
  for (const auto &[name, measured] : expected.measured)
    for (const auto &entry : compiled.source.moduleNames)
      if (entry.second == name && !tensors.count(name))
        if (auto node = tensors.extract(entry.first().str())) {
          node.key() = name;
          tensors.insert(std::move(node));
        }
}

} // namespace

Expected readExpected(const std::string &name, llvm::StringRef record) {
  auto file = llvm::MemoryBuffer::getFile(folderOf(name) + "/" + record);
  llvm::json::Value json = llvm::cantFail(llvm::json::parse((*file)->getBuffer()));
  const llvm::json::Object &object = *json.getAsObject(), &o = *object.getObject("optimizer");
  Expected expected;
  for (const llvm::json::Value &loss : *object.getArray("losses_fp64"))
    expected.losses.push_back(*loss.getAsNumber());
  if (auto ownRate = o.getNumber("R")) // the model's own training graph says the rest
    expected.optimizer.lr.peak = *ownRate;
  else
    expected.optimizer = {{.peak = *o.getNumber("lr")}, *o.getNumber("beta1"),
                          *o.getNumber("beta2"),        *o.getNumber("eps"),
                          *o.getNumber("weight_decay"), o.getNumber("clip_global_norm").getValueOr(0)};
  expected.globalBatch = *object.getInteger("global_batch");
  expected.steps = *object.getInteger("steps");
  expected.parameterElements = object.getInteger("parameter_elements").getValueOr(0);
  expected.gradientNorm = *object.getArray("grad_norms_fp64")->front().getAsNumber();
  if (object.getObject("sizes")) {
    readMeasured(object, expected);
    return expected;
  }
  expected.gradients = readTensors(folderOf(name) + "/grads.safetensors");
  expected.weights = readTensors(folderOf(name) + "/final.safetensors");
  return expected;
}

std::string Mesh::text() const {
  return llvm::formatv("tp={0} dp={1} zero={2} grad-accum={3}", tp, dp, zero, gradAccum).str();
}

std::vector<double> readLog(const std::string &path, llvm::StringRef key) {
  std::vector<double> numbers;
  auto file = llvm::MemoryBuffer::getFile(path);
  llvm::SmallVector<llvm::StringRef, 8> lines;
  (*file)->getBuffer().split(lines, '\n', -1, false);
  for (llvm::StringRef line : lines)
    if (auto number = llvm::cantFail(llvm::json::parse(line)).getAsObject()->getNumber(key)) numbers.push_back(*number);
  return numbers;
}

CompileOptions optionsOf(const std::string &fixture, const Expected &expected, const Mesh &mesh, const RunAs &runAs) {
  CompileOptions options = fixtureOptions(fixture);
  options.import.microBatch = expected.globalBatch / (mesh.dp * mesh.gradAccum);
  for (const auto &[name, size] : expected.sizes)
    options.import.shapes[name] = size;
  options.recognise = runAs.recognise;
  options.parameters.freeze = runAs.freeze;
  options.parameters.assumesRoles = runAs.assumesRoles;
  options.sequenceParallel = runAs.sequenceParallel;
  options.recompute = runAs.recompute;
  options.weights.held = runAs.held;
  options.memory.device = runAs.device;
  options.dtype = runAs.dtype;
  if (!runAs.model.empty()) options.model = runAs.model;
  options.step.lossScale = runAs.lossScale;
  options.step.tp = mesh.tp;
  options.step.dp = mesh.dp;
  options.step.zero = mesh.zero;
  options.step.gradAccum = mesh.gradAccum;
  options.step.bucketBytes = runAs.bucketBytes;
  options.step.optimizer = expected.optimizer;
  return options;
}

llvm::Expected<CompiledModel> compileTo(const std::string &folder, const CompileOptions &options) {
  llvm::Expected<CompiledModel> compiled = compile(options);
  if (!compiled) return compiled.takeError();
  if (!compiled->certificate) return problem("plan", "it was not proven");
  auto plan = OutputFolder::open(folder, {});
  if (!plan) return plan.takeError();
  if (llvm::Error error = writePlan(planContents(*compiled, describe(*compiled, options)), **plan)) return error;
  if (llvm::Expected<std::string> movedTo = (*plan)->commit(); !movedTo) return movedTo.takeError();
  return compiled;
}

llvm::Expected<Trained> train(const std::string &fixture, const Expected &expected, const Mesh &mesh,
                              const RunAs &runAs) {
  llvm::SmallString<128> folder;
  if (std::error_code code = llvm::sys::fs::createUniqueDirectory("autotp-equivalence", folder))
    return llvm::errorCodeToError(code);
  std::string base = folder.str().str();
  TrainOptions trainOptions;
  trainOptions.plan = base + "/plan";
  llvm::Expected<CompiledModel> compiled = compileTo(trainOptions.plan, optionsOf(fixture, expected, mesh, runAs));
  if (!compiled) return compiled.takeError();
  trainOptions.steps = expected.steps;
  if (runAs.data.empty())
    trainOptions.feed = folderOf(fixture) + "/" + (runAs.feed.empty() ? "batch.npz" : runAs.feed);
  else
    trainOptions.data = runAs.data;
  trainOptions.threads = 1;
  trainOptions.log = base + "/log.jsonl";
  trainOptions.dumpGradients = base + "/gradients.safetensors";
  trainOptions.saveWeights = base + "/weights.safetensors";
  trainOptions.isQuiet = true;
  if (llvm::Error error = runAs.run                ? runAs.run(trainOptions)
                          : runAs.launcher.empty() ? autotp::train(trainOptions)
                                                   : launch(runAs, trainOptions))
    return error;
  int64_t elements = 0;
  for (const ParameterInfo &parameter : compiled->graph.parameters)
    elements += compiled->graph.type(parameter.value).elements();
  Trained run{elements,
              shardedSizes(trainOptions.plan),
              readLog(trainOptions.log, "loss"),
              readLog(trainOptions.log, "loss_scale"),
              readTensors(trainOptions.dumpGradients),
              readTensors(trainOptions.saveWeights)};
  callAsRecorded(run.gradients, expected, *compiled);
  callAsRecorded(run.weights, expected, *compiled);
  llvm::sys::fs::remove_directories(base);
  return run;
}

std::vector<std::string> compare(const Expected &expected, const Trained &run, Deviations *worst,
                                 const Bounds &bounds) {
  Comparison comparison{expected, run, bounds};
  comparison.compareAll();
  if (worst)
    *worst = {std::max(worst->loss, comparison.worst.loss), std::max(worst->gradient, comparison.worst.gradient),
              std::max(worst->weight, comparison.worst.weight)};
  return std::move(comparison.broken);
}

std::vector<std::string> compare(const Trained &truth, const Trained &run, Deviations &worst, const Bounds &bounds) {
  Expected expected;
  expected.losses = truth.losses;
  expected.gradients = truth.gradients;
  return compare(expected, run, &worst, bounds);
}

} // namespace autotp::test
