// compiler/onnx/read_tensor.cpp: the contents of a TensorProto, from the model itself or from a file beside it.
#include "compiler/onnx/import_table.h"
#include "runtime/base/error.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cstring>

namespace autotp {
namespace {

/// Checks that a path leads to a regular file beneath `folder`, and to no other: it is relative, has neither ".." nor
/// links, and is the file's only name, since another name of it may lie anywhere.
llvm::Error checkLocation(llvm::StringRef folder, llvm::StringRef location) {
  llvm::SmallString<256> path(folder);
  if (location.contains('\0')) return problem("", "the name of its data file '" + escaped(location) + "' holds a NUL");
  if (location.empty() || llvm::sys::path::is_absolute(location))
    return problem("", "its external data lies at '" + escaped(location) + "', outside the model's folder");
  for (llvm::StringRef part : llvm::make_range(llvm::sys::path::begin(location), llvm::sys::path::end(location))) {
    if (part == "..")
      return problem("", "its external data lies at '" + escaped(location) + "', outside the model's folder");
    llvm::sys::path::append(path, part);
    if (llvm::sys::fs::is_symlink_file(path))
      return problem("", "its external data '" + escaped(location) + "' is a link",
                     "put the file itself beside the model");
  }
  llvm::sys::fs::file_status status;
  if (std::error_code code = llvm::sys::fs::status(path, status))
    return problem("", "its data file '" + escaped(location) + "' cannot be read: " + code.message());
  if (status.type() != llvm::sys::fs::file_type::regular_file)
    return problem("", "its data '" + escaped(location) + "' is no regular file");
  if (status.getLinkCount() > 1)
    return problem("", "its data file '" + escaped(location) + "' is a hard link: the file has other names too",
                   "put a copy of it beside the model");
  return llvm::Error::success();
}

} // namespace

llvm::Expected<LocatedTensor> locateExternal(const onnx::TensorProto &proto, const Type &type, llvm::StringRef folder) {
  std::string location;
  uint64_t offset = 0, length = type.bytes();
  for (const auto &entry : proto.external_data()) {
    llvm::StringRef value = entry.value();
    bool isBad = (entry.key() == "offset" && value.getAsInteger(10, offset)) ||
                 (entry.key() == "length" && value.getAsInteger(10, length));
    if (isBad) return problem("", "its " + entry.key() + " '" + escaped(value) + "' is no number");
    if (entry.key() == "location") location = value.str();
  }
  if (llvm::Error error = checkLocation(folder, location)) return error;
  llvm::SmallString<256> path(folder);
  llvm::sys::path::append(path, location);
  uint64_t size = 0;
  if (std::error_code code = llvm::sys::fs::file_size(path, size))
    return problem("", "its data file '" + escaped(location) + "' cannot be read: " + code.message());
  if (length != type.bytes() || offset > size || length > size - offset)
    return problem("", llvm::formatv("it needs {0} bytes at {1} of '{2}', which has {3}", type.bytes(), offset,
                                     escaped(location), size)
                           .str());
  return LocatedTensor{proto.name(), type.dtype, {type.shape.begin(), type.shape.end()}, path.str().str(), offset};
}

namespace {

llvm::Expected<Tensor> readExternal(const onnx::TensorProto &proto, const Type &type, llvm::StringRef folder) {
  llvm::Expected<LocatedTensor> at = locateExternal(proto, type, folder);
  if (!at) return at.takeError();
  const uint64_t length = type.bytes();
  auto mapped = llvm::MemoryBuffer::getFileSlice(at->file, length, at->offset);
  if (!mapped) {
    llvm::StringRef location = at->file;
    (void)(location.consume_front(folder) && location.consume_front("/"));
    return problem("", "its data file '" + escaped(location) + "' cannot be read: " + mapped.getError().message());
  }
  std::shared_ptr<llvm::MemoryBuffer> owner = std::move(*mapped);
  return Tensor{type, llvm::ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(owner->getBufferStart()), length),
                owner};
}

/// Reads values that are not stored as raw bytes but each in a field of a wider type.
template <typename Field> llvm::Expected<Tensor> fromField(const Type &type, const Field &field) {
  if (field.size() != type.elements())
    return problem("", llvm::formatv("it has {0} values for {1}", field.size(), type.text()).str());
  if (type.dtype == DType::BF16 || type.dtype == DType::F16) { // the fields hold bit patterns
    std::vector<uint8_t> bytes(type.bytes());
    for (int i = 0; i < field.size(); ++i) {
      uint16_t bits = uint16_t(field.Get(i));
      std::memcpy(bytes.data() + 2 * size_t(i), &bits, 2);
    }
    return ownedTensor(type, std::move(bytes));
  }
  if (type.dtype == DType::I64) {
    std::vector<uint8_t> bytes(type.bytes());
    for (int i = 0; i < field.size(); ++i) {
      int64_t value = int64_t(field.Get(i));
      std::memcpy(bytes.data() + 8 * size_t(i), &value, 8);
    }
    return ownedTensor(type, std::move(bytes));
  }
  Array array(type);
  for (int i = 0; i < field.size(); ++i)
    array.data[size_t(i)] = double(field.Get(i));
  return toTensor(array);
}

} // namespace

namespace {
constexpr std::pair<int, DType> kTypes[] = {
    {onnx::TensorProto::FLOAT, DType::F32},     {onnx::TensorProto::DOUBLE, DType::F64},
    {onnx::TensorProto::BFLOAT16, DType::BF16}, {onnx::TensorProto::FLOAT16, DType::F16},
    {onnx::TensorProto::INT64, DType::I64},     {onnx::TensorProto::INT32, DType::I32},
    {onnx::TensorProto::BOOL, DType::Bool},     {onnx::TensorProto::UINT8, DType::U8},
};
} // namespace

llvm::Expected<DType> dtypeOf(int onnxType) {
  for (auto [number, dtype] : kTypes)
    if (number == onnxType) return dtype;
  return problem("", "element type " + std::to_string(onnxType) + " of ONNX is not supported");
}

int onnxTypeOf(DType dtype) {
  for (auto [number, own] : kTypes)
    if (own == dtype) return number;
  return onnx::TensorProto::UNDEFINED;
}

llvm::Expected<Type> typeOf(const onnx::TensorProto &proto) {
  llvm::Expected<DType> dtype = dtypeOf(proto.data_type());
  if (!dtype) return dtype.takeError();
  Type type{*dtype, {}};
  int64_t elements = 1;
  for (int64_t d : proto.dims()) {
    if (d < 0 || (d > 0 && elements > (int64_t(1) << 42) / d)) return problem("", "its shape is negative or too large");
    elements *= d;
    type.shape.push_back(d);
  }
  return type;
}

llvm::Expected<Tensor> readTensor(const onnx::TensorProto &proto, llvm::StringRef folder) {
  llvm::Expected<Type> found = typeOf(proto);
  if (!found) return found.takeError();
  const Type type = *found;
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) return readExternal(proto, type, folder);
  if (proto.has_raw_data()) {
    if (proto.raw_data().size() != type.bytes())
      return problem("", llvm::formatv("it has {0} bytes for {1}", proto.raw_data().size(), type.text()).str());
    return ownedTensor(type, std::vector<uint8_t>(proto.raw_data().begin(), proto.raw_data().end()));
  }
  switch (type.dtype) {
  case DType::F32:
    return fromField(type, proto.float_data());
  case DType::F64:
    return fromField(type, proto.double_data());
  case DType::I64:
    return fromField(type, proto.int64_data());
  default:
    return fromField(type, proto.int32_data());
  }
}

} // namespace autotp
