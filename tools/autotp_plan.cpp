// autotp-plan: looks into plans.
#include "compiler/certify/certify.h"
#include "passes/plan_source.h"
#include "runtime/base/digest.h"
#include "runtime/base/indexed.h"
#include "runtime/base/input_file.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/program_file.h"
#include "runtime/plan/program_text.h"
#include "tools/command_line.h"
#include "tools/export_weights.h"

#include <google/protobuf/util/json_util.h>

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"

using namespace llvm;
using namespace autotp;

static cl::OptionCategory category("autotp-plan options");
static cl::opt<std::string> verb(cl::Positional, cl::desc("show|memory|diff|verify|export"), cl::Required,
                                 cl::cat(category));
static cl::opt<std::string> first(cl::Positional, cl::desc("[PLAN]"), cl::cat(category));
static cl::opt<std::string> second(cl::Positional, cl::desc("[OTHER]"), cl::cat(category));
static cl::opt<int> shownRank("rank", cl::desc("which rank to show (default 0)"), cl::value_desc("N"), cl::init(0),
                              cl::cat(category));
static cl::opt<std::string> model(
    "model",
    cl::desc("verify: where the model is now (default: where it was compiled); export: the model that was trained"),
    cl::value_desc("MODEL.onnx"), cl::cat(category));
static cl::opt<std::string> checkpoint("checkpoint",
                                       cl::desc("export: a checkpoint, or a folder of them: the newest whole one"),
                                       cl::value_desc("FOLDER"), cl::cat(category));
static cl::opt<std::string> output("o",
                                   cl::desc("export: the model with the trained weights, the weights alone, whole and "
                                            "in f32, or a folder as transformers reads it"),
                                   cl::value_desc("FILE.onnx|FILE.safetensors|FOLDER"), cl::cat(category));
static cl::opt<std::string> config("config", cl::desc("export: for a folder, the config.json that autotp-model had"),
                                   cl::value_desc("FILE.json"), cl::cat(category));
static cl::opt<bool> asJson("json", cl::desc("show and memory as JSON"), cl::cat(category));

struct LoadedPlan {
  Manifest manifest;
  std::vector<plan::Program> programs;
};

static Expected<LoadedPlan> load(const std::string &folder) {
  Expected<Manifest> manifest = readManifest(folder);
  if (!manifest) return manifest.takeError();
  LoadedPlan loaded{std::move(*manifest), {}};
  for (const Manifest::File &file : loaded.manifest.programs) {
    Expected<plan::Program> program =
        readProgram(folder + "/" + file.path, file.digest, loaded.manifest.tp, loaded.manifest.dp);
    if (!program) return program.takeError();
    loaded.programs.push_back(std::move(*program));
  }
  return loaded;
}

static std::vector<std::string> linesOfRank(const LoadedPlan &plan, int64_t rank, bool hasAddresses) {
  return linesOf(plan.programs[size_t(plan.manifest.ranks[size_t(rank)].program)], hasAddresses);
}

/// The whole program, but for what constants and states begin with.
static Error printProgramJson(plan::Program program) {
  for (plan::Constant &constant : *program.mutable_constants())
    constant.clear_data();
  for (plan::State &state : *program.mutable_states())
    state.clear_data();
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(program, &text, options).ok())
    return problem("program", "it cannot be written as JSON");
  outs() << text;
  return Error::success();
}

/// Ranks of one program, as "0 to 3, 8".
static std::string ranksOf(const LoadedPlan &plan, int64_t program) {
  std::string text;
  const int64_t ranks = int64_t(plan.manifest.ranks.size());
  for (int64_t r = 0; r < ranks; ++r) {
    if (plan.manifest.ranks[size_t(r)].program != program) continue;
    const int64_t begin = r;
    while (r + 1 < ranks && plan.manifest.ranks[size_t(r + 1)].program == program)
      ++r;
    text += (text.empty() ? "" : ", ") + std::to_string(begin) + (r > begin ? " to " + std::to_string(r) : "");
  }
  return text;
}

/// Ranks with one program need the same, and are said once.
static void printMemory(const LoadedPlan &plan) {
  for (auto [p, program] : indexed(plan.programs)) {
    const std::string ranks = ranksOf(plan, int64_t(p));
    outs() << (StringRef(ranks).contains(' ') ? "ranks " : "rank ") << ranks << ": "
           << format("%.1f MiB", double(program.arena_bytes()) / (1 << 20)) << " each\n";
    for (const plan::Region &region : program.regions())
      outs() << format("  %-25s %14llu bytes\n", region.name().c_str(),
                       static_cast<unsigned long long>(region.bytes()));
  }
}

/// One object a rank, with the bytes of its regions.
static void printMemoryJson(const LoadedPlan &plan) {
  json::OStream json(outs(), 2);
  json.array([&] {
    for (auto [r, row] : indexed(plan.manifest.ranks)) {
      const plan::Program &program = plan.programs[size_t(row.program)];
      json.object([&, r = r] {
        json.attribute("rank", int64_t(r));
        json.attribute("arena_bytes", int64_t(program.arena_bytes()));
        for (const plan::Region &region : program.regions())
          json.attribute(region.name(), int64_t(region.bytes()));
      });
    }
  });
  outs() << "\n";
}

/// Lines that only one of both plans has, in order: - for the first, + for the second. Returns whether there are any.
static bool printDiff(const std::vector<std::string> &a, const std::vector<std::string> &b) {
  std::vector<std::vector<uint32_t>> longest(a.size() + 1,
                                             std::vector<uint32_t>(b.size() + 1, 0)); // common subsequence
  for (size_t i = a.size(); i-- > 0;)
    for (size_t j = b.size(); j-- > 0;)
      longest[i][j] = a[i] == b[j] ? longest[i + 1][j + 1] + 1 : std::max(longest[i + 1][j], longest[i][j + 1]);
  bool differs = false;
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      ++i;
      ++j;
      continue;
    }
    differs = true;
    if (j >= b.size() || (i < a.size() && longest[i + 1][j] >= longest[i][j + 1]))
      outs() << "- " << a[i++] << "\n";
    else
      outs() << "+ " << b[j++] << "\n";
  }
  return differs;
}

/// What a plan says of itself, but for what follows from its programs.
static std::vector<std::string> linesOfManifest(Manifest manifest) {
  manifest.report = {};
  for (auto *files : {&manifest.programs, &manifest.weights})
    for (Manifest::File &file : *files)
      file.digest.clear();
  const std::string text = manifestText(manifest);
  SmallVector<StringRef, 64> lines;
  StringRef(text).split(lines, '\n', -1, false);
  return {lines.begin(), lines.end()};
}

/// Errors: all files of weights that are not as they were written.
static Error checkWeights(const LoadedPlan &plan) {
  Error errors = Error::success();
  for (const Manifest::File &weights : plan.manifest.weights) {
    const std::string path = first + "/" + weights.path;
    Expected<std::unique_ptr<MemoryBuffer>> file = mapFile(path, path, "compile the plan again");
    if (!file)
      errors = joinErrors(std::move(errors), file.takeError());
    else if (digestOf((*file)->getBuffer()) != weights.digest)
      errors = joinErrors(std::move(errors),
                          problem(path, "it is not the file that the manifest describes: truncated or edited",
                                  "compile the plan again"));
  }
  return errors;
}

static Error verify(const LoadedPlan &plan) {
  if (Error error = checkWeights(plan)) return error;
  Expected<Certificate> certificate = certifyPlan(plan.manifest, plan.programs, model);
  if (!certificate) return certificate.takeError();
  outs() << formatv("certificate {0} instructions of {1} programs proven\n", certificate->instructions,
                    certificate->programs);
  return Error::success();
}

static Error run() {
  Expected<LoadedPlan> plan = load(first);
  if (!plan) return plan.takeError();
  if (verb == "verify") return verify(*plan);
  if (shownRank < 0 || size_t(shownRank) >= plan->manifest.ranks.size())
    return problem("--rank", formatv("the plan has ranks 0 to {0}", plan->manifest.ranks.size() - 1).str());
  if (verb == "memory") {
    asJson ? printMemoryJson(*plan) : printMemory(*plan);
    return Error::success();
  }
  if (verb == "show" && asJson)
    return printProgramJson(plan->programs[size_t(plan->manifest.ranks[size_t(shownRank)].program)]);
  if (verb == "show") {
    for (const std::string &line : linesOfRank(*plan, shownRank, /*hasAddresses=*/true))
      outs() << line << "\n";
    return Error::success();
  }
  Expected<LoadedPlan> other = load(second);
  if (!other) return other.takeError();
  if (size_t(shownRank) >= other->manifest.ranks.size()) return problem("--rank", "the second plan has fewer ranks");
  const bool hasOtherOptions = printDiff(linesOfManifest(plan->manifest), linesOfManifest(other->manifest));
  const bool isOther = printDiff(linesOfRank(*plan, shownRank, false), linesOfRank(*other, shownRank, false));
  if (!isOther) outs() << "rank " << shownRank << " runs the same program";
  if (!isOther) outs() << (hasOtherOptions ? ", but the plans differ in what is said above\n" : "\n");
  return Error::success();
}

int main(int argc, char **argv) {
  if (!autotp::parseCommandLine(
          argc, argv, &category,
          "Looks into plans: show prints a rank's steps, memory its bytes by region, diff two plans, verify\n"
          "proves a plan against the model that it was compiled from. export writes a checkpoint's weights.\n"))
    return 2;
  const bool isExport = verb == "export", isOfOne = verb == "show" || verb == "memory" || verb == "verify";
  const bool isRight = isExport ? first.empty() && !checkpoint.empty() && !output.empty()
                                : !first.empty() && (isOfOne ? second.empty() : verb == "diff" && !second.empty());
  if (!isRight) {
    errs() << "error: write autotp-plan show|memory|verify PLAN, diff PLAN OTHER, or export --checkpoint FOLDER -o "
              "FILE|FOLDER\n";
    return 2;
  }
  if (isExport) return autotp::exitCode(exportWeights({checkpoint, model, config, output}));
  return autotp::exitCode(run());
}
