#include "compiler/onnx/checkpoint.h"

#include "compiler/onnx/import_table.h"
#include "runtime/base/error.h"
#include "runtime/base/input_file.h"

#include "llvm/Support/Endian.h"

namespace autotp {
namespace {

using Position = std::optional<uint64_t>; ///< empty: the field is absent, or lies outside the file

/// The bytes of a flatbuffer, little-endian. A read outside them returns 0 and sets isBroken().
class FlatBuffer {
public:
  explicit FlatBuffer(llvm::StringRef bytes) : bytes_(bytes) {}

  bool isBroken() const { return isBroken_; }

  template <typename T> T read(uint64_t at) {
    if (at > bytes_.size() || sizeof(T) > bytes_.size() - at) {
      isBroken_ = true;
      return 0;
    }
    return llvm::support::endian::read<T, llvm::support::little, llvm::support::unaligned>(bytes_.data() + at);
  }

  /// The position to which the offset at `at` leads.
  uint64_t follow(uint64_t at) { return at + read<uint32_t>(at); }

  /// The position of field `i` of the table at `table`, by its vtable.
  Position field(uint64_t table, unsigned i) {
    const int64_t vtable = int64_t(table) - read<int32_t>(table);
    if (vtable < 0) {
      isBroken_ = true;
      return std::nullopt;
    }
    const uint64_t entry = 4 + 2 * uint64_t(i);
    if (entry >= read<uint16_t>(uint64_t(vtable))) return std::nullopt;
    const uint16_t offset = read<uint16_t>(uint64_t(vtable) + entry);
    return offset ? Position(table + offset) : std::nullopt;
  }

  /// The first byte and the length of a vector whose elements have `each` bytes.
  std::pair<uint64_t, uint64_t> vector(const Position &field, uint64_t each) {
    if (!field) return {0, 0};
    const uint64_t at = follow(*field), length = read<uint32_t>(at);
    if (at + 4 > bytes_.size() || length > (bytes_.size() - at - 4) / each) isBroken_ = true;
    return {at + 4, isBroken_ ? 0 : length};
  }

  llvm::StringRef bytes(const Position &field) {
    auto [at, length] = vector(field, 1);
    return bytes_.substr(at, length);
  }

private:
  llvm::StringRef bytes_;
  bool isBroken_ = false;
};

llvm::Expected<CheckpointTensor> readTensor(FlatBuffer &file, uint64_t table, bool isTrained) {
  enum Field { Name = 0, Dims = 2, DataType = 3, RawData = 4, ExternalOffset = 6 };
  const std::string name = file.bytes(file.field(table, Name)).str();
  const std::string where = "tensor '" + escaped(name) + "'";
  const Position typeAt = file.field(table, DataType), external = file.field(table, ExternalOffset);
  auto [dimsAt, rank] = file.vector(file.field(table, Dims), 8);
  constexpr uint64_t kMostDimensions = 64;
  if (rank > kMostDimensions) return problem(where, "it has " + std::to_string(rank) + " dimensions");
  if (external && file.read<int64_t>(*external) >= 0)
    return problem(where, "its contents lie in another file", "save the checkpoint with all of its parameters in it");
  Type type;
  for (uint64_t d = 0; d < rank; ++d)
    type.shape.push_back(file.read<int64_t>(dimsAt + 8 * d));
  llvm::StringRef raw = file.bytes(file.field(table, RawData));
  if (file.isBroken()) return problem(where, "it lies outside the file");
  llvm::Expected<DType> dtype = dtypeOf(typeAt ? file.read<int32_t>(*typeAt) : 0);
  if (!dtype) return placed(where, dtype.takeError());
  type.dtype = *dtype;
  if (!countElements(type.shape) || raw.size() != type.bytes())
    return problem(where, "its bytes do not fit its shape " + type.text());
  return CheckpointTensor{name, ownedTensor(type, {raw.bytes_begin(), raw.bytes_end()}), isTrained};
}

} // namespace

llvm::Expected<std::vector<CheckpointTensor>> readCheckpoint(llvm::StringRef path) {
  auto buffer = mapFile(path);
  if (!buffer) return buffer.takeError();
  const llvm::StringRef bytes = (*buffer)->getBuffer();
  if (bytes.size() < 8 || bytes.substr(4, 4) != "ODTC")
    return problem(path, "it is no checkpoint of onnxruntime-training",
                   "save it anew with onnxruntime-training 1.17 or newer");
  FlatBuffer file(bytes);
  // A field of the root; its own fields 0 and 1 are the trained tensors and the others.
  constexpr unsigned kModuleState = 1;
  std::vector<CheckpointTensor> all;
  const Position state = file.field(file.follow(0), kModuleState);
  const uint64_t module = state ? file.follow(*state) : 0;
  uint64_t held = 0; // bytes of all tensors so far; they may not overlap, so that a small file needs little memory
  for (unsigned list : {0u, 1u}) {
    if (!state) break;
    auto [at, count] = file.vector(file.field(module, list), 4);
    for (uint64_t i = 0; i < count; ++i) {
      llvm::Expected<CheckpointTensor> tensor = readTensor(file, file.follow(at + 4 * i), list == 0);
      if (!tensor) return placed(path, tensor.takeError());
      held += tensor->tensor.type.bytes();
      if (held > bytes.size()) return problem(path, "its parameters share bytes");
      all.push_back(std::move(*tensor));
    }
  }
  if (file.isBroken()) return problem(path, "it is truncated, or its offsets lead outside of it");
  if (all.empty())
    return problem(path, "it holds no parameter", "it must be the checkpoint that generate_artifacts writes");
  return all;
}

} // namespace autotp
