#include "runtime/plan/safetensors.h"

#include "runtime/base/error.h"
#include "runtime/base/input_file.h"
#include "runtime/base/output_file.h"
#include "runtime/base/parse_json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

namespace autotp {
namespace {

constexpr struct {
  DType dtype;
  const char *name;
} kNames[] = {{DType::F32, "F32"}, {DType::F64, "F64"}, {DType::BF16, "BF16"}, {DType::F16, "F16"},
              {DType::I64, "I64"}, {DType::I32, "I32"}, {DType::Bool, "BOOL"}, {DType::U8, "U8"}};

const char *formatName(DType dtype) {
  for (const auto &row : kNames)
    if (row.dtype == dtype) return row.name;
  return "?";
}

llvm::Expected<NamedTensor> readEntry(llvm::StringRef path, llvm::StringRef name, const llvm::json::Value &value,
                                      llvm::ArrayRef<uint8_t> data) {
  auto bad = [&](const char *what) { return problem(path.str() + ": tensor '" + escaped(name) + "'", what); };
  const llvm::json::Object *entry = value.getAsObject();
  if (!entry) return bad("its entry is no object");
  const llvm::json::Array *shape = entry->getArray("shape"), *offsets = entry->getArray("data_offsets");
  llvm::Optional<llvm::StringRef> dtype = entry->getString("dtype");
  if (!shape || !offsets || offsets->size() != 2 || !dtype) return bad("its dtype, shape or data_offsets are missing");
  NamedTensor tensor;
  tensor.name = name.str();
  const auto *row = llvm::find_if(kNames, [&](const auto &r) { return *dtype == r.name; });
  if (row == std::end(kNames)) return bad("its dtype is not supported");
  tensor.dtype = row->dtype;
  int64_t bytes = int64_t(sizeOf(tensor.dtype));
  for (const llvm::json::Value &d : *shape) {
    int64_t size = d.getAsInteger().getValueOr(-1);
    if (size < 0 || llvm::MulOverflow<int64_t>(bytes, size, bytes)) return bad("its shape does not fit the file");
    tensor.shape.push_back(size);
  }
  int64_t begin = (*offsets)[0].getAsInteger().getValueOr(-1), end = (*offsets)[1].getAsInteger().getValueOr(-1);
  if (begin < 0 || end < begin || uint64_t(end) > data.size() || end - begin != bytes)
    return bad("its data_offsets do not fit its shape or the file");
  tensor.bytes = data.slice(size_t(begin), size_t(end - begin));
  return tensor;
}

/// Errors: two tensors share bytes, or bytes belong to none: then one of them is not what it was when it was written.
llvm::Error checkPlaces(llvm::StringRef path, llvm::ArrayRef<NamedTensor> tensors, llvm::ArrayRef<uint8_t> data) {
  std::vector<const NamedTensor *> inOrder;
  for (const NamedTensor &tensor : tensors)
    if (!tensor.bytes.empty()) inOrder.push_back(&tensor);
  llvm::sort(inOrder, [](auto *a, auto *b) {
    return std::pair(a->bytes.begin(), a->name) < std::pair(b->bytes.begin(), b->name);
  });
  const uint8_t *end = data.begin();
  const NamedTensor *before = nullptr;
  for (const NamedTensor *tensor : inOrder) {
    if (tensor->bytes.begin() < end)
      return problem(path.str() + ": tensor '" + escaped(tensor->name) + "'",
                     "it shares bytes with tensor '" + escaped(before->name) + "'", "write the file again");
    if (tensor->bytes.begin() > end) break;
    end = tensor->bytes.end();
    before = tensor;
  }
  if (end == data.end()) return llvm::Error::success();
  return problem(path, ("bytes of it belong to no tensor, from " + llvm::Twine(end - data.begin()) + " on").str(),
                 "write the file again");
}

void writeHeader(llvm::raw_ostream &out, llvm::ArrayRef<NamedTensor> tensors) {
  std::string header;
  llvm::raw_string_ostream os(header);
  llvm::json::OStream json(os);
  int64_t offset = 0;
  json.object([&] {
    for (const NamedTensor &tensor : tensors)
      json.attributeObject(tensor.name, [&] {
        json.attribute("dtype", formatName(tensor.dtype));
        json.attributeArray("shape", [&] {
          for (int64_t d : tensor.shape)
            json.value(d);
        });
        int64_t bytes = int64_t(sizeOf(tensor.dtype));
        for (int64_t d : tensor.shape)
          bytes *= d;
        json.attributeArray("data_offsets", [&] {
          json.value(offset);
          json.value(offset + bytes);
        });
        offset += bytes;
      });
  });
  os.flush();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t length = header.size();
  out.write(reinterpret_cast<const char *>(&length), sizeof length);
  out << header;
}

} // namespace

const NamedTensor *SafetensorsFile::find(llvm::StringRef name) const {
  for (const NamedTensor &tensor : tensors)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

void writeSafetensors(llvm::raw_ostream &os, llvm::ArrayRef<NamedTensor> tensors) {
  writeHeader(os, tensors);
  for (const NamedTensor &tensor : tensors)
    os.write(reinterpret_cast<const char *>(tensor.bytes.data()), tensor.bytes.size());
}

llvm::Error writeSafetensors(llvm::raw_ostream &os, llvm::ArrayRef<NamedTensor> tensors,
                             llvm::function_ref<llvm::Error(size_t)> writeBytes) {
  writeHeader(os, tensors);
  for (size_t i = 0; i < tensors.size(); ++i)
    if (llvm::Error error = writeBytes(i)) return error;
  return llvm::Error::success();
}

llvm::Error writeSafetensors(llvm::StringRef path, llvm::ArrayRef<NamedTensor> tensors) {
  llvm::Expected<std::unique_ptr<OutputFile>> file = OutputFile::create(path);
  if (!file) return file.takeError();
  writeSafetensors((*file)->stream(), tensors);
  return (*file)->commit();
}

llvm::Expected<SafetensorsFile> readSafetensors(llvm::StringRef path) {
  auto mapped = mapFile(path);
  if (!mapped) return mapped.takeError();
  SafetensorsFile file{std::move(*mapped), {}};
  llvm::StringRef all = file.buffer->getBuffer();
  uint64_t length = 0;
  if (all.size() >= 8) std::memcpy(&length, all.data(), 8);
  if (all.size() < 8 || length > all.size() - 8) return problem(path, "it is truncated, or no safetensors file");
  llvm::Expected<llvm::json::Value> header = parseJson(all.substr(8, length));
  if (!header) return problem(path.str() + ": its header", llvm::toString(header.takeError()));
  if (!header->getAsObject()) return problem(path, "its header is no JSON object");
  llvm::ArrayRef<uint8_t> data(reinterpret_cast<const uint8_t *>(all.data()) + 8 + length, all.size() - 8 - length);
  for (const auto &entry : *header->getAsObject()) {
    if (entry.first == "__metadata__") continue;
    llvm::Expected<NamedTensor> tensor = readEntry(path, entry.first, entry.second, data);
    if (!tensor) return tensor.takeError();
    file.tensors.push_back(std::move(*tensor));
  }
  if (llvm::Error error = checkPlaces(path, file.tensors, data)) return error;
  llvm::sort(file.tensors, [](const NamedTensor &a, const NamedTensor &b) { return a.name < b.name; });
  return file;
}

llvm::Expected<llvm::json::Object> weightMapOf(llvm::StringRef where, llvm::StringRef text) {
  llvm::Expected<llvm::json::Value> index = parseJson(text);
  if (!index) return problem(where, llvm::toString(index.takeError()));
  llvm::json::Object *object = index->getAsObject(), *map = object ? object->getObject("weight_map") : nullptr;
  if (!map)
    return problem(where, "it has no 'weight_map'", "name the index of sharded weights, *.safetensors.index.json");
  return std::move(*map);
}

} // namespace autotp
