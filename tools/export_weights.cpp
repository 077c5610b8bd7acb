#include "tools/export_weights.h"

#include "compiler/onnx/replace_weights.h"
#include "runtime/base/error.h"
#include "runtime/base/output_file.h"
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
  llvm::Expected<FoundCheckpoint> found = namedCheckpoint("--checkpoint", o.checkpoint);
  if (!found) return found.takeError();
  const CheckpointReader &reader = *found->reader;
  if (reader.folder() != o.checkpoint) llvm::outs() << "checkpoint " << reader.folder() << "\n";
  if (llvm::Error error = reader.verify(0, 1)) return error;
  for (const std::string &written : {o.output, o.output + ".data"})
    if (llvm::Error error = checkIsNotRead(written, reader.paths())) return error;
  const std::vector<ReplacedWeight> weights = weightsOf(reader);
  if (weights.empty()) return problem(escaped(reader.folder()), "it has no weights", "take another checkpoint");
  return isModel ? replaceWeights(o.model, o.output, weights) : writeWeights(o.output, weights);
}

} // namespace autotp
