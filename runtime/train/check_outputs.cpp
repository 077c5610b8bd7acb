#include "runtime/train/check_outputs.h"

#include "runtime/base/error.h"
#include "runtime/base/output_file.h"
#include "runtime/base/output_folder.h"
#include "runtime/base/output_path.h"
#include "runtime/checkpoint/find_checkpoint.h"
#include "runtime/plan/manifest.h"
#include "runtime/train/train_options.h"
#include "runtime/train/train_rows.h"

#include "llvm/Support/FileSystem.h"

#include <cerrno>
#include <sys/stat.h>

namespace autotp {

llvm::Error checkTogether(const TrainOptions &o) {
  llvm::Error errors = llvm::Error::success();
  for (auto [flag, isGiven] : {std::pair("--save-every", o.saveEvery > 0),
                               {"--keep", o.keep > 0},
                               {"--save-async", o.savesAsync},
                               {"--resume auto", o.resume == "auto"}})
    if (isGiven && o.save.empty())
      errors = llvm::joinErrors(std::move(errors), problem(flag, "there is no --save", "say where with --save FOLDER"));
  const bool hasSamples = !o.evalData.empty() || !o.evalFeed.empty();
  if (o.evalEvery > 0 && !hasSamples)
    errors = llvm::joinErrors(std::move(errors), problem("--eval-every", "there is nothing to evaluate",
                                                         "give samples with --eval-data, or with --eval-feed"));
  if (o.evalEvery == 0 && hasSamples)
    errors = llvm::joinErrors(std::move(errors), problem(o.evalFeed.empty() ? "--eval-data" : "--eval-feed",
                                                         "there is no --eval-every", "say how often with it"));
  if (!o.evalData.empty() && !o.evalFeed.empty())
    errors =
        llvm::joinErrors(std::move(errors), problem("--eval-data", "it contradicts --eval-feed", "give one of them"));
  return errors;
}

namespace {

struct Output {
  const OptionRow *row;
  std::string path;
};

/// The files that the options name to be written.
std::vector<Output> outputsOf(const TrainOptions &o) {
  std::vector<Output> outputs;
  for (const OptionSection &section : trainSections())
    for (const OptionRow *row : section.rows)
      if (row->output != OptionOutput::None)
        if (std::string path = std::get<std::string>(row->member.get(o)); !path.empty())
          outputs.push_back({row, std::move(path)});
  return outputs;
}

/// Makes the folder of checkpoints if it does not exist yet.
llvm::Error checkSaveFolder(const std::string &folder) {
  if (folder.empty()) return llvm::Error::success();
  llvm::Expected<bool> isThere = isFolder("--save", folder);
  if (!isThere) return isThere.takeError();
  if (*isThere) return checkParent(folder + "/step");
  if (llvm::Error error = checkParent(folder)) return error;
  return mkdir(folder.c_str(), 0777) == 0 || errno == EEXIST ? llvm::Error::success() : cannotBeWritten(folder, errno);
}

} // namespace

llvm::Error checkOutputs(const TrainOptions &o, const Manifest &manifest, std::vector<std::string> inputs) {
  inputs.push_back(o.plan + "/manifest.json");
  for (const auto *files : {&manifest.programs, &manifest.weights})
    for (const Manifest::File &file : *files)
      inputs.push_back(o.plan + "/" + file.path);
  for (const ReferencedFiles::File &file : manifest.referenced.files)
    inputs.push_back(file.path);
  const std::vector<Output> outputs = outputsOf(o);
  for (const Output &output : outputs) {
    for (const Output &other : outputs)
      if (other.row != output.row && other.path == output.path)
        return problem(flagText(*output.row), "it names the same file as " + flagText(*other.row), "name another file");
    if (llvm::Error error = checkIsNotRead(output.path, inputs)) return error;
    if (output.row->output == OptionOutput::Streamed) continue; // it is opened right away
    if (llvm::Error error = checkOutputFile(output.path)) return error;
  }
  return checkSaveFolder(o.save);
}

llvm::Error checkSaves(const TrainOptions &o, int64_t done, const DamagedCheckpoints &damaged) {
  llvm::Error errors = llvm::Error::success();
  for (int64_t step : stepsIn(o.save)) {
    const bool isWritten =
        step > done && (step == o.steps || (o.saveEvery > 0 && step % o.saveEvery == 0 && step < o.steps));
    if (!isWritten) continue;
    const std::string path = checkpointOf(o.save, step);
    if (damaged.count(path)) continue; // it will be moved aside
    auto folder = OutputFolder::open(path, {});
    if (folder) continue;
    errors = llvm::joinErrors(std::move(errors), problem("--save " + escaped(o.save), inOneLine(folder.takeError()),
                                                         "move it away, or name another folder"));
  }
  return errors;
}

} // namespace autotp
