#include "models/llama/export_model.h"

#include "models/llama/build_model.h"
#include "models/llama/parameter_contents.h"
#include "runtime/base/error.h"
#include "runtime/base/output_file.h"

#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

namespace autotp {
namespace {

void setExternal(onnx::TensorProto &tensor, std::initializer_list<std::pair<const char *, std::string>> entries) {
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto &[key, value] : entries) {
    onnx::StringStringEntryProto *entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
}

int64_t bytesOf(const LlamaModel &model) {
  int64_t bytes = 0;
  for (const LlamaParameter &parameter : model.parameters)
    bytes += parameter.elements() * int64_t(sizeof(float));
  return bytes;
}

void storeInline(LlamaModel &model, const ParameterContents &contents) {
  for (size_t i = 0; i < model.parameters.size(); ++i) {
    std::vector<float> values = contents.read(model, i);
    model.proto.mutable_graph()
        ->mutable_initializer(model.parameters[i].initializer)
        ->set_raw_data(values.data(), values.size() * sizeof(float));
  }
}

/// One parameter is in memory at a time. Offsets are multiples of a page, so that readers can map them.
llvm::Error storeBeside(LlamaModel &model, const ParameterContents &contents, const std::string &location,
                        OutputFile &file) {
  constexpr uint64_t kPage = 4096;
  for (size_t i = 0; i < model.parameters.size(); ++i) {
    std::vector<float> values = contents.read(model, i);
    const uint64_t end = file.stream().tell(), offset = llvm::alignTo(end, kPage),
                   bytes = values.size() * sizeof(float);
    file.stream().write_zeros(unsigned(offset - end));
    file.stream().write(reinterpret_cast<const char *>(values.data()), bytes);
    setExternal(*model.proto.mutable_graph()->mutable_initializer(model.parameters[i].initializer),
                {{"location", location}, {"offset", std::to_string(offset)}, {"length", std::to_string(bytes)}});
  }
  return file.close();
}

/// Protocol Buffers write into LLVM's stream.
class StreamAdaptor : public google::protobuf::io::CopyingOutputStream {
public:
  explicit StreamAdaptor(llvm::raw_ostream &os) : os_(os) {}
  bool Write(const void *data, int size) override {
    os_.write(static_cast<const char *>(data), size_t(size));
    return true;
  }

private:
  llvm::raw_ostream &os_;
};

llvm::Error writeProto(const onnx::ModelProto &proto, const std::string &path, OutputFile &file) {
  if (proto.ByteSizeLong() > size_t(INT32_MAX))
    return problem(path, "it would exceed the 2 GiB that a protobuf can hold", "ask for a shorter --seq");
  bool isWritten = false;
  {
    StreamAdaptor adaptor(file.stream());
    google::protobuf::io::CopyingOutputStreamAdaptor buffered(&adaptor);
    google::protobuf::io::CodedOutputStream coded(&buffered);
    coded.SetSerializationDeterministic(true);
    isWritten = proto.SerializeToCodedStream(&coded);
  }
  if (llvm::Error error = file.close()) return error;
  return isWritten ? llvm::Error::success() : problem(path, "it cannot be serialised");
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

} // namespace

llvm::Error exportLlama(const LlamaExport &options) {
  if (llvm::Error error = checkOptions(options)) return error;
  auto text = llvm::MemoryBuffer::getFile(options.config);
  if (!text) return problem(options.config, "it cannot be read: " + text.getError().message());
  llvm::Expected<LlamaConfig> config = parseLlamaConfig((*text)->getBuffer(), options.config);
  if (!config) return config.takeError();
  LlamaModel model = buildLlama(*config, options.batch, options.seq);

  const std::string dataPath = options.output + ".data", location = llvm::sys::path::filename(dataPath).str();
  if (llvm::Error error = checkIsNotRead(options.output, {options.config, options.weights})) return error;
  llvm::Expected<std::unique_ptr<OutputFile>> file = OutputFile::create(options.output);
  if (!file) return file.takeError();
  std::unique_ptr<OutputFile> data; // where weights lie beside the model
  if (options.hasWeights) {
    ParameterContents contents = ParameterContents::drawn(uint64_t(options.seed));
    if (!options.weights.empty()) {
      llvm::Expected<ParameterContents> found = ParameterContents::fromFile(options.weights, *config, model);
      if (!found) return found.takeError();
      contents = std::move(*found);
    }
    if (bytesOf(model) <= options.mostInlineBytes) {
      storeInline(model, contents);
    } else {
      llvm::Expected<std::unique_ptr<OutputFile>> beside = OutputFile::create(dataPath, Replaces::Nothing);
      if (!beside) return beside.takeError();
      data = std::move(*beside);
      if (llvm::Error error = storeBeside(model, contents, location, *data)) return error;
    }
  } else {
    for (const LlamaParameter &parameter : model.parameters)
      setExternal(*model.proto.mutable_graph()->mutable_initializer(parameter.initializer),
                  {{"location", kNoContents}});
  }
  if (llvm::Error error = writeProto(model.proto, options.output, **file)) return error;
  if (data)
    if (llvm::Error error = data->commit()) return error;
  return (*file)->commit();
}

} // namespace autotp
