#include "models/llama/export_model.h"

#include "compiler/onnx/write_model.h"
#include "models/llama/build_model.h"
#include "models/llama/parameter_contents.h"
#include "runtime/base/error.h"

#include "llvm/Support/MemoryBuffer.h"

namespace autotp {
namespace {

int64_t bytesOf(const LlamaModel &model) {
  int64_t bytes = 0;
  for (const LlamaParameter &parameter : model.parameters)
    bytes += parameter.elements() * int64_t(sizeof(float));
  return bytes;
}

llvm::Error checkOptions(const LlamaExport &options) {
  constexpr int64_t kLargestBatch = 1 << 20;
  llvm::Error errors = llvm::Error::success();
  auto fail = [&](llvm::StringRef flag, const std::string &what, const char *remedy = "") {
    errors = llvm::joinErrors(std::move(errors), problem(flag, what, remedy));
  };
  if (options.batch < 1 || options.batch > kLargestBatch)
    fail("--batch", llvm::formatv("{0} is not from 1 to {1}", options.batch, kLargestBatch));
  if (options.seq < 2 || options.seq > kLongestSequence)
    fail("--seq", llvm::formatv("{0} is not from 2 to {1}", options.seq, kLongestSequence));
  if (!options.hasWeights && !options.weights.empty())
    fail("--no-weights", "it contradicts --weights", "give one of them");
  return errors;
}

/// One parameter is in memory at a time.
llvm::Error storeWeights(LlamaModel &model, const LlamaExport &options, const LlamaConfig &config,
                         ModelWriter &writer) {
  auto tensorOf = [&](const LlamaParameter &parameter) -> onnx::TensorProto & {
    return *model.proto.mutable_graph()->mutable_initializer(parameter.initializer);
  };
  if (!options.hasWeights) {
    for (const LlamaParameter &parameter : model.parameters)
      ModelWriter::setExternal(tensorOf(parameter), {{"location", kNoContents}});
    return llvm::Error::success();
  }
  ParameterContents contents = ParameterContents::drawn(uint64_t(options.seed));
  if (!options.weights.empty()) {
    llvm::Expected<ParameterContents> found = ParameterContents::fromFile(options.weights, config, model);
    if (!found) return found.takeError();
    contents = std::move(*found);
  }
  for (size_t i = 0; i < model.parameters.size(); ++i) {
    const std::vector<float> values = contents.read(model, i);
    writer.store(tensorOf(model.parameters[i]),
                 {reinterpret_cast<const uint8_t *>(values.data()), values.size() * sizeof(float)});
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error exportLlama(const LlamaExport &options) {
  if (llvm::Error error = checkOptions(options)) return error;
  auto text = llvm::MemoryBuffer::getFile(options.config);
  if (!text) return problem(options.config, "it cannot be read: " + text.getError().message());
  llvm::Expected<LlamaConfig> config = parseLlamaConfig((*text)->getBuffer(), options.config);
  if (!config) return config.takeError();
  LlamaModel model = buildLlama(*config, options.batch, options.seq);

  if (llvm::Error error = checkIsNotRead(options.output, {options.config, options.weights})) return error;
  const bool isBeside = options.hasWeights && bytesOf(model) > options.mostInlineBytes;
  llvm::Expected<ModelWriter> writer = ModelWriter::create(options.output, isBeside);
  if (!writer) return writer.takeError();
  if (llvm::Error error = storeWeights(model, options, *config, *writer)) return error;
  if (model.proto.ByteSizeLong() > size_t(INT32_MAX))
    return problem(options.output, "it would exceed the 2 GiB that a protobuf can hold", "ask for a shorter --seq");
  return writer->commit(model.proto);
}

} // namespace autotp
