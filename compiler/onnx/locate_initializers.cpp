#include "compiler/onnx/locate_initializers.h"

#include "compiler/onnx/import_table.h"
#include "runtime/base/error.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

namespace autotp {
namespace {

using google::protobuf::internal::WireFormatLite;

/// Calls f(number, bytes) for each field of a message that is itself bytes: messages, texts, packed numbers. Protocol
/// Buffers copies such bytes when it parses, and forgets where they were. Errors: the message is truncated, and f's.
llvm::Error forEachField(llvm::StringRef message, llvm::function_ref<llvm::Error(int, llvm::StringRef)> f) {
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t *>(message.data()), int(message.size()));
  while (uint32_t tag = stream.ReadTag()) {
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&stream, tag)) return problem("", "it is truncated");
      continue;
    }
    uint32_t length = 0;
    if (!stream.ReadVarint32(&length)) return problem("", "it is truncated");
    const auto at = size_t(stream.CurrentPosition());
    if (length > message.size() - at || !stream.Skip(int(length))) return problem("", "it is truncated");
    if (llvm::Error error = f(WireFormatLite::GetTagFieldNumber(tag), message.substr(at, length))) return error;
  }
  return llvm::Error::success();
}

/// Whether a field holds a tensor's numbers as they lie in memory.
bool holdsNumbers(int field, const onnx::TensorProto &proto) {
  if (proto.has_raw_data()) return field == onnx::TensorProto::kRawDataFieldNumber;
  return (field == onnx::TensorProto::kFloatDataFieldNumber && proto.data_type() == onnx::TensorProto::FLOAT) ||
         (field == onnx::TensorProto::kDoubleDataFieldNumber && proto.data_type() == onnx::TensorProto::DOUBLE);
}

class Locator {
public:
  Locator(llvm::StringRef path, llvm::StringRef file) : path_(path), file_(file) {}

  llvm::Error ofModel() {
    return forEachField(file_, [&](int field, llvm::StringRef bytes) {
      return field == onnx::ModelProto::kGraphFieldNumber ? ofGraph(bytes) : llvm::Error::success();
    });
  }

  std::vector<LocatedTensor> found;

private:
  llvm::Error ofGraph(llvm::StringRef graph) {
    return forEachField(graph, [&](int field, llvm::StringRef bytes) {
      return field == onnx::GraphProto::kInitializerFieldNumber ? ofInitializer(bytes) : llvm::Error::success();
    });
  }

  llvm::Error ofInitializer(llvm::StringRef bytes) {
    onnx::TensorProto proto;
    if (!proto.ParseFromArray(bytes.data(), int(bytes.size()))) return problem("", "it is truncated");
    llvm::Expected<Type> type = typeOf(proto);
    if (!type || !isFloat(type->dtype)) {
      llvm::consumeError(type.takeError()); // such as a text, which fills no parameter
      return llvm::Error::success();
    }
    if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
      llvm::Expected<LocatedTensor> at = locateExternal(proto, *type, llvm::sys::path::parent_path(path_));
      if (at)
        found.push_back(std::move(*at));
      else
        llvm::consumeError(at.takeError()); // it has no contents, since import has read all others
      return llvm::Error::success();
    }
    // A field that comes in several parts is read by Protocol Buffers as one.
    return forEachField(bytes, [&](int field, llvm::StringRef numbers) {
      if (holdsNumbers(field, proto) && numbers.size() == type->bytes())
        found.push_back({proto.name(),
                         type->dtype,
                         {type->shape.begin(), type->shape.end()},
                         path_.str(),
                         uint64_t(numbers.data() - file_.data())});
      return llvm::Error::success();
    });
  }

  llvm::StringRef path_, file_;
};

} // namespace

llvm::Expected<std::vector<LocatedTensor>> locateInitializers(llvm::StringRef model) {
  if (llvm::sys::fs::is_directory(model)) return std::vector<LocatedTensor>();
  auto file = llvm::MemoryBuffer::getFile(model, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file) return problem(model, "it cannot be read: " + file.getError().message());
  if ((*file)->getBufferSize() > INT32_MAX) return problem(model, "it is larger than 2 GiB");
  Locator locator(model, (*file)->getBuffer());
  if (llvm::Error error = locator.ofModel()) return placed(model, std::move(error));
  return std::move(locator.found);
}

} // namespace autotp
