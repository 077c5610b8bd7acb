#include "compiler/onnx/write_model.h"

#include "runtime/base/error.h"

#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

namespace autotp {
namespace {

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

bool serialise(const onnx::ModelProto &proto, llvm::raw_ostream &os) {
  StreamAdaptor adaptor(os);
  google::protobuf::io::CopyingOutputStreamAdaptor buffered(&adaptor);
  google::protobuf::io::CodedOutputStream coded(&buffered);
  coded.SetSerializationDeterministic(true);
  return proto.SerializeToCodedStream(&coded);
}

} // namespace

llvm::Expected<ModelWriter> ModelWriter::create(const std::string &path, bool isBeside) {
  ModelWriter writer;
  writer.path_ = path;
  llvm::Expected<std::unique_ptr<OutputFile>> file = OutputFile::create(path);
  if (!file) return file.takeError();
  writer.file_ = std::move(*file);
  if (!isBeside) return writer;
  llvm::Expected<std::unique_ptr<OutputFile>> data = OutputFile::create(path + ".data", Replaces::Nothing);
  if (!data) return data.takeError();
  writer.data_ = std::move(*data);
  return writer;
}

void ModelWriter::setExternal(onnx::TensorProto &tensor,
                              std::initializer_list<std::pair<const char *, std::string>> entries) {
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto &[key, value] : entries) {
    onnx::StringStringEntryProto *entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
}

void ModelWriter::store(onnx::TensorProto &tensor, llvm::ArrayRef<uint8_t> bytes) {
  for (auto clear : {&onnx::TensorProto::clear_float_data, &onnx::TensorProto::clear_double_data,
                     &onnx::TensorProto::clear_int32_data, &onnx::TensorProto::clear_int64_data,
                     &onnx::TensorProto::clear_uint64_data, &onnx::TensorProto::clear_raw_data,
                     &onnx::TensorProto::clear_external_data, &onnx::TensorProto::clear_data_location})
    (tensor.*clear)();
  if (!data_) return tensor.set_raw_data(bytes.data(), bytes.size());
  constexpr uint64_t kPage = 4096; // so that readers can map it
  const uint64_t end = data_->stream().tell(), offset = llvm::alignTo(end, kPage);
  data_->stream().write_zeros(unsigned(offset - end));
  data_->stream().write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  setExternal(tensor, {{"location", llvm::sys::path::filename(path_).str() + ".data"},
                       {"offset", std::to_string(offset)},
                       {"length", std::to_string(bytes.size())}});
}

llvm::Error ModelWriter::commit(const onnx::ModelProto &model) {
  if (data_)
    if (llvm::Error error = data_->close()) return error;
  if (model.ByteSizeLong() > size_t(INT32_MAX))
    return problem(path_, "it would exceed the 2 GiB that a protobuf can hold");
  const bool isWritten = serialise(model, file_->stream());
  if (llvm::Error error = file_->close()) return error;
  if (!isWritten) return problem(path_, "it cannot be serialised");
  if (data_)
    if (llvm::Error error = data_->commit()) return error;
  return file_->commit();
}

} // namespace autotp
