#include "tools/export_weights.h"

#include "compiler/onnx/replace_weights.h"
#include "runtime/base/error.h"
#include "runtime/base/output_file.h"
#include "runtime/checkpoint/checkpoint_reader.h"
#include "runtime/checkpoint/find_checkpoint.h"

namespace autotp {
namespace {

llvm::Expected<std::string> folderOf(const std::string &named) {
  if (llvm::Expected<Checkpoint> checkpoint = readCheckpointFacts(named))
    return named;
  else if (const FoundCheckpoint found = newestCheckpoint(named); !found.path.empty()) {
    llvm::consumeError(checkpoint.takeError());
    llvm::outs() << "checkpoint " << found.path << "\n";
    return found.path;
  } else
    return checkpoint.takeError();
}

std::vector<float> transposed(llvm::ArrayRef<float> from, int64_t rows, int64_t columns) {
  std::vector<float> to(from.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[size_t(c * rows + r)] = from[size_t(r * columns + c)];
  return to;
}

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

llvm::Error writeWeights(const std::string &output, llvm::ArrayRef<ReplacedWeight> weights) {
  std::vector<std::vector<float>> contents;
  std::vector<NamedTensor> tensors;
  for (const ReplacedWeight &weight : weights) {
    llvm::Expected<std::vector<float>> values = weight.read();
    if (!values) return values.takeError();
    contents.push_back(std::move(*values));
    tensors.push_back({weight.name, DType::F32, weight.shape, {}});
    tensors.back().bytes = {reinterpret_cast<const uint8_t *>(contents.back().data()),
                            contents.back().size() * sizeof(float)};
  }
  return writeSafetensors(output, tensors);
}

} // namespace

llvm::Error exportWeights(const WeightExport &o) {
  const bool isModel = llvm::StringRef(o.output).endswith(".onnx");
  if (!isModel && !llvm::StringRef(o.output).endswith(".safetensors"))
    return problem("-o " + escaped(o.output), "it is neither an .onnx nor a .safetensors",
                   "name a file with one of these ends");
  if (isModel && o.model.empty()) return problem("--model", "it is missing", "name the .onnx that was trained");
  llvm::Expected<std::string> folder = folderOf(o.checkpoint);
  if (!folder) return folder.takeError();
  llvm::Expected<std::unique_ptr<CheckpointReader>> reader = CheckpointReader::open(*folder);
  if (!reader) return reader.takeError();
  if (llvm::Error error = (*reader)->verify(0, 1)) return error;
  for (const std::string &written : {o.output, o.output + ".data"})
    if (llvm::Error error = checkIsNotRead(written, (*reader)->paths())) return error;
  const std::vector<ReplacedWeight> weights = weightsOf(**reader);
  if (weights.empty()) return problem(escaped(*folder), "it has no weights", "take another checkpoint");
  return isModel ? replaceWeights(o.model, o.output, weights) : writeWeights(o.output, weights);
}

} // namespace autotp
