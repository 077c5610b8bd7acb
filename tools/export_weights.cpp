#include "tools/export_weights.h"

#include "compiler/onnx/replace_weights.h"
#include "models/decoder/build_decoder.h"
#include "models/decoder/parse_config.h"
#include "runtime/base/error.h"
#include "runtime/base/input_file.h"
#include "runtime/base/output_file.h"
#include "runtime/base/output_folder.h"
#include "runtime/base/transposed.h"
#include "runtime/checkpoint/find_checkpoint.h"

namespace autotp {
namespace {

std::vector<ReplacedWeight> weightsOf(const CheckpointReader &reader) {
  std::vector<ReplacedWeight> weights;
  for (const Checkpoint::Tensor &tensor : reader.facts().tensors) {
    if (tensor.kind != kWeights) continue;
    weights.push_back({tensor.parameter, tensor.shape, [&] { return reader.readWhole(tensor); }});
    for (const Checkpoint::Alias &alias : tensor.aliases) {
      if (!alias.isTransposed) {
        weights.push_back({alias.name, tensor.shape, [&] { return reader.readWhole(tensor); }});
        continue;
      }
      const int64_t rows = tensor.shape[0], columns = tensor.shape[1];
      weights.push_back({alias.name, {columns, rows}, [&, rows, columns]() -> llvm::Expected<std::vector<float>> {
                           llvm::Expected<std::vector<float>> values = reader.readWhole(tensor);
                           if (!values) return values.takeError();
                           return transposed(*values, rows, columns);
                         }});
    }
  }
  return weights;
}

/// One tensor is in memory at a time.
llvm::Error writeWeights(llvm::raw_ostream &os, llvm::ArrayRef<ReplacedWeight> weights) {
  std::vector<NamedTensor> tensors;
  for (const ReplacedWeight &weight : weights)
    tensors.push_back({weight.name, DType::F32, weight.shape, {}});
  return writeSafetensors(os, tensors, [&](size_t i) -> llvm::Error {
    llvm::Expected<std::vector<float>> values = weights[i].read();
    if (!values) return values.takeError();
    os.write(reinterpret_cast<const char *>(values->data()), values->size() * sizeof(float));
    return llvm::Error::success();
  });
}

llvm::Error writeFile(const std::string &path, llvm::ArrayRef<ReplacedWeight> weights) {
  llvm::Expected<std::unique_ptr<OutputFile>> file = OutputFile::create(path);
  if (!file) return file.takeError();
  if (llvm::Error error = writeWeights((*file)->stream(), weights)) return error;
  return (*file)->commit();
}

/// Checks that the weights are just the parameters of this config's model, by name and shape.
llvm::Error checkAgainst(llvm::StringRef config, const std::string &where, llvm::ArrayRef<ReplacedWeight> weights) {
  llvm::Expected<DecoderConfig> parsed = parseDecoderConfig(config, where, "");
  if (!parsed) return parsed.takeError();
  std::map<std::string, std::vector<int64_t>> wanted;
  for (const DecoderParameter &parameter : buildDecoder(*parsed, /*batch=*/1, /*seq=*/2).parameters)
    wanted[parameter.name] = parameter.shape;
  llvm::Error errors = llvm::Error::success();
  auto fail = [&](const std::string &name, const char *what) {
    errors = llvm::joinErrors(std::move(errors), problem("weight '" + escaped(name) + "'", what,
                                                         "give the config.json of the model that was trained"));
  };
  for (const ReplacedWeight &weight : weights) {
    auto parameter = wanted.find(weight.name);
    if (parameter == wanted.end())
      fail(weight.name, "the config's model has no such parameter");
    else if (parameter->second != weight.shape)
      fail(weight.name, "the config gives it another shape");
    if (parameter != wanted.end()) wanted.erase(parameter);
  }
  for (const auto &[name, shape] : wanted)
    fail(name, "the checkpoint lacks it");
  return errors;
}

/// Writes a folder as transformers has it: config.json and model.safetensors.
llvm::Error writeFolder(const WeightExport &o, std::vector<std::string> inputs,
                        llvm::ArrayRef<ReplacedWeight> weights) {
  auto config = mapFile("--config " + escaped(o.config), o.config);
  if (!config) return config.takeError();
  const llvm::StringRef text = (*config)->getBuffer();
  if (llvm::Error error = checkAgainst(text, o.config, weights)) return error;
  OutputFolder::Options options;
  options.inputs = std::move(inputs);
  options.inputs.push_back(o.config);
  llvm::Expected<std::unique_ptr<OutputFolder>> folder = OutputFolder::open(o.output, std::move(options));
  if (!folder) return folder.takeError();
  llvm::Error failed = llvm::Error::success();
  llvm::Expected<std::string> written = (*folder)->write("config.json", [&](llvm::raw_ostream &os) { os << text; });
  if (written)
    written = (*folder)->write("model.safetensors", [&](llvm::raw_ostream &os) { failed = writeWeights(os, weights); });
  if (failed) return llvm::joinErrors(std::move(failed), written.takeError());
  if (!written) return written.takeError();
  return (*folder)->commit().takeError();
}

} // namespace

llvm::Error exportWeights(const WeightExport &o) {
  const bool isModel = llvm::StringRef(o.output).endswith(".onnx");
  const bool isFolder = !isModel && !llvm::StringRef(o.output).endswith(".safetensors");
  if (isFolder && o.config.empty())
    return problem("-o " + escaped(o.output), "it is neither an .onnx nor a .safetensors",
                   "name a file with one of these ends, or a folder and the model's config with --config FILE.json");
  if (!isFolder && !o.config.empty())
    return problem("--config", "it is for a folder, and -o names a file", "leave it out, or name a folder");
  if (isModel && o.model.empty()) return problem("--model", "it is missing", "name the .onnx that was trained");
  llvm::Expected<FoundCheckpoint> found = namedCheckpoint("--checkpoint", o.checkpoint);
  if (!found) return found.takeError();
  const CheckpointReader &reader = *found->reader;
  if (reader.folder() != o.checkpoint) llvm::outs() << "checkpoint " << reader.folder() << "\n";
  if (llvm::Error error = reader.verify()) return error;
  for (const std::string &written : {o.output, o.output + ".data"})
    if (llvm::Error error = checkIsNotRead(written, reader.paths())) return error;
  const std::vector<ReplacedWeight> weights = weightsOf(reader);
  if (weights.empty()) return problem(escaped(reader.folder()), "it has no weights", "take another checkpoint");
  if (isFolder) return writeFolder(o, reader.paths(), weights);
  return isModel ? replaceWeights(o.model, o.output, weights) : writeFile(o.output, weights);
}

} // namespace autotp
