#include "passes/options/option_files.h"

#include "passes/import/classify_parameters.h"
#include "passes/shard/partition_rules.h"
#include "runtime/base/error.h"
#include "runtime/base/input_file.h"
#include "runtime/base/parse_json.h"
#include "runtime/plan/safetensors.h"

namespace autotp {
namespace {

/// The weights of an index: which file of a sharded checkpoint holds each tensor.
llvm::Error readIndex(llvm::StringRef path, llvm::StringRef text, ParameterOverrides &parameters) {
  llvm::Expected<llvm::json::Object> weights = weightMapOf(path, text);
  if (!weights) return weights.takeError();
  for (const auto &entry : *weights)
    parameters.listed.push_back(llvm::StringRef(entry.first).str());
  llvm::sort(parameters.listed); // an object's keys have no order
  return llvm::Error::success();
}

llvm::Error readLines(llvm::StringRef text, ParameterOverrides &parameters) {
  llvm::SmallVector<llvm::StringRef, 0> lines;
  text.split(lines, '\n');
  for (llvm::StringRef line : lines)
    addListed(line, parameters);
  return llvm::Error::success();
}

} // namespace

llvm::Error readParameterList(llvm::StringRef path, ParameterOverrides &parameters) {
  parameters.isListed = true;
  if (path.endswith(".safetensors")) {
    llvm::Expected<SafetensorsFile> file = readSafetensors(path);
    if (!file) return file.takeError();
    for (const NamedTensor &tensor : file->tensors)
      parameters.listed.push_back(tensor.name);
  } else {
    auto file = mapFile(path);
    if (!file) return file.takeError();
    llvm::StringRef text = (*file)->getBuffer();
    if (llvm::Error error =
            text.ltrim().startswith("{") ? readIndex(path, text, parameters) : readLines(text, parameters))
      return error;
  }
  return parameters.listed.empty() ? problem(path, "it lists no parameters") : llvm::Error::success();
}

llvm::Expected<llvm::json::Value> readJson(llvm::StringRef path) {
  auto file = mapFile(path);
  if (!file) return file.takeError();
  auto value = parseJson((*file)->getBuffer());
  if (!value) return problem(path, llvm::toString(value.takeError()));
  return value;
}

llvm::Error readPatterns(llvm::StringRef path, PartitionRules &rules) {
  auto json = readJson(path);
  if (!json) return json.takeError();
  auto read = readPartitionRules(*json);
  if (!read) return read.takeError();
  rules = std::move(*read);
  return llvm::Error::success();
}

} // namespace autotp
