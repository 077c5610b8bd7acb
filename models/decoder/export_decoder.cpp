#include "models/decoder/export_decoder.h"

#include "compiler/onnx/write_model.h"
#include "models/decoder/build_decoder.h"
#include "models/decoder/parameter_contents.h"
#include "models/decoder/parse_config.h"
#include "runtime/base/error.h"
#include "runtime/base/input_file.h"

namespace autotp {
namespace {

int64_t bytesOf(const DecoderModel &model) {
  int64_t bytes = 0;
  for (const DecoderParameter &parameter : model.parameters)
    bytes += parameter.elements() * int64_t(sizeof(float));
  return bytes;
}

llvm::Error checkOptions(const DecoderExport &options) {
  constexpr int64_t kLargestBatch = 1 << 20, kLongestSequence = 1 << 20;
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

llvm::Expected<ParameterContents> contentsOf(const DecoderExport &options, const DecoderConfig &config,
                                             const DecoderModel &model) {
  return options.weights.empty() ? ParameterContents::drawn(uint64_t(options.seed))
                                 : ParameterContents::fromFiles(options.weights, config, model);
}

/// One parameter is in memory at a time.
llvm::Error storeWeights(DecoderModel &model, const ParameterContents &contents, bool hasWeights, ModelWriter &writer) {
  for (size_t i = 0; i < model.parameters.size(); ++i) {
    onnx::TensorProto &tensor = *model.proto.mutable_graph()->mutable_initializer(model.parameters[i].initializer);
    if (!hasWeights) {
      ModelWriter::setExternal(tensor, {{"location", kNoContents}});
      continue;
    }
    llvm::Expected<std::vector<float>> values = contents.read(model, i);
    if (!values) return values.takeError();
    writer.store(tensor, {reinterpret_cast<const uint8_t *>(values->data()), values->size() * sizeof(float)});
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error exportDecoder(const DecoderExport &options) {
  if (llvm::Error error = checkOptions(options)) return error;
  auto text = mapFile(options.config);
  if (!text) return text.takeError();
  llvm::Expected<DecoderConfig> config = parseDecoderConfig((*text)->getBuffer(), options.config, options.family);
  if (!config) return config.takeError();
  DecoderModel model = buildDecoder(*config, options.batch, options.seq);
  llvm::Expected<ParameterContents> contents = contentsOf(options, *config, model);
  if (!contents) return contents.takeError();

  std::vector<std::string> inputs = contents->files();
  inputs.push_back(options.config);
  if (llvm::Error error = checkIsNotRead(options.output, inputs)) return error;
  const bool isBeside = options.hasWeights && bytesOf(model) > options.mostInlineBytes;
  llvm::Expected<ModelWriter> writer = ModelWriter::create(options.output, isBeside);
  if (!writer) return writer.takeError();
  if (llvm::Error error = storeWeights(model, *contents, options.hasWeights, *writer)) return error;
  if (model.proto.ByteSizeLong() > size_t(INT32_MAX))
    return problem(options.output, "it would exceed the 2 GiB that a protobuf can hold", "ask for a shorter --seq");
  return writer->commit(model.proto);
}

} // namespace autotp
