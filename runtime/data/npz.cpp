#include "runtime/data/npz.h"

#include "runtime/base/error.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstring>
#include <zlib.h>

namespace autotp {
namespace {

using llvm::support::endian::read16le;
using llvm::support::endian::read32le;
using llvm::support::endian::read64le;

struct Entry {
  std::string name;
  uint16_t method = 0;
  uint64_t packed = 0, size = 0, header = 0;
};

class Zip {
public:
  Zip(llvm::StringRef path, llvm::StringRef bytes) : path_(path), bytes_(bytes) {}

  llvm::Expected<std::vector<Entry>> entries() const {
    size_t end = bytes_.rfind("PK\x05\x06");
    if (end == llvm::StringRef::npos || bytes_.size() - end < 22)
      return problem(path_, "it is no .npz file, or is truncated");
    uint64_t count = read16le(at(end + 10)), directory = read32le(at(end + 16));
    std::vector<Entry> all;
    for (uint64_t i = 0; i < count; ++i) {
      if (directory > bytes_.size() || bytes_.size() - directory < 46 ||
          !bytes_.substr(directory).startswith("PK\x01\x02"))
        return problem(path_, "its directory is damaged");
      Entry entry;
      entry.method = read16le(at(directory + 10));
      entry.packed = read32le(at(directory + 20));
      entry.size = read32le(at(directory + 24));
      entry.header = read32le(at(directory + 42));
      uint64_t name = read16le(at(directory + 28)), extra = read16le(at(directory + 30)),
               comment = read16le(at(directory + 32));
      if (bytes_.size() - directory - 46 < name + extra) return problem(path_, "its directory is damaged");
      entry.name = bytes_.substr(directory + 46, name).str();
      readZip64(directory + 46 + name, extra, entry);
      all.push_back(entry);
      directory += 46 + name + extra + comment;
    }
    return all;
  }

  llvm::Expected<std::vector<std::byte>> contents(const Entry &entry) const {
    auto damaged = [&] { return problem(path_, "array '" + escaped(entry.name) + "' is damaged"); };
    if (entry.header > bytes_.size() || bytes_.size() - entry.header < 30) return damaged();
    uint64_t data = entry.header + 30 + read16le(at(entry.header + 26)) + read16le(at(entry.header + 28));
    if (data > bytes_.size() || entry.packed > bytes_.size() - data || entry.size > entry.packed * 1100 + 1024)
      return damaged();
    std::vector<std::byte> out(entry.size);
    if (entry.method == 0) {
      if (entry.packed != entry.size) return damaged();
      std::memcpy(out.data(), at(data), entry.size);
      return out;
    }
    z_stream z{};
    z.next_in = const_cast<Bytef *>(reinterpret_cast<const Bytef *>(at(data)));
    z.avail_in = uInt(entry.packed);
    z.next_out = reinterpret_cast<Bytef *>(out.data());
    z.avail_out = uInt(out.size());
    bool isGood = entry.method == 8 && inflateInit2(&z, -MAX_WBITS) == Z_OK;
    if (isGood) {
      isGood = inflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out == out.size();
      inflateEnd(&z);
    }
    if (!isGood) return damaged();
    return out;
  }

private:
  const char *at(uint64_t offset) const { return bytes_.data() + offset; }

  /// Reads sizes from a zip64 extra field, in which numpy writes them even for small arrays.
  void readZip64(uint64_t extra, uint64_t length, Entry &entry) const {
    for (uint64_t pos = 0; pos + 4 <= length;) {
      uint16_t id = read16le(at(extra + pos)), size = read16le(at(extra + pos + 2));
      uint64_t field = pos + 4, last = std::min<uint64_t>(length, field + size);
      auto take = [&](uint64_t &value) {
        if (value != 0xffffffff || field + 8 > last) return;
        value = read64le(at(extra + field));
        field += 8;
      };
      if (id == 1) {
        take(entry.size);
        take(entry.packed);
        take(entry.header);
      }
      pos += 4u + size;
    }
  }

  llvm::StringRef path_, bytes_;
};

llvm::Expected<NpyArray> parseNpy(llvm::StringRef path, const std::string &name, std::vector<std::byte> bytes) {
  auto bad = [&](const char *what) { return problem((path + ": array '" + escaped(name) + "'").str(), what); };
  llvm::StringRef all(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (all.size() < 12 || !all.startswith("\x93NUMPY")) return bad("it is no numpy array");
  uint64_t start = all[6] == 1 ? 10 : 12, length = all[6] == 1 ? read16le(all.data() + 8) : read32le(all.data() + 8);
  if (length > all.size() - start) return bad("it is truncated");
  llvm::StringRef header = all.substr(start, length);
  constexpr struct {
    const char *descr;
    DType dtype;
  } kTypes[] = {{"'<f4'", DType::F32}, {"'<f8'", DType::F64},  {"'<i8'", DType::I64},
                {"'<i4'", DType::I32}, {"'|b1'", DType::Bool}, {"'|u1'", DType::U8}};
  NpyArray array;
  array.name = name;
  bool isKnown = false;
  for (const auto &type : kTypes)
    if (header.contains(type.descr)) {
      array.dtype = type.dtype;
      isKnown = true;
    }
  if (!isKnown) return bad("its element type is not f4, f8, i4, i8, b1 or u1");
  if (header.contains("'fortran_order': True")) return bad("it is in Fortran order");
  llvm::SmallVector<llvm::StringRef, 6> dims;
  header.split("'shape': (").second.split(')').first.split(dims, ',', -1, false);
  uint64_t expected = sizeOf(array.dtype);
  for (llvm::StringRef dim : dims) {
    int64_t size;
    if (dim.trim().empty()) continue;
    if (dim.trim().getAsInteger(10, size) || size < 0) return bad("its shape cannot be read");
    if (size > 0 && expected > bytes.size() / uint64_t(size) + 1) return bad("its shape is larger than the file");
    expected *= uint64_t(size);
    array.shape.push_back(size);
  }
  if (expected != all.size() - start - length) return bad("its size does not fit its shape");
  array.data.assign(bytes.begin() + long(start + length), bytes.end());
  return array;
}

} // namespace

llvm::Expected<std::vector<NpyArray>> readNpz(llvm::StringRef path) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file) return problem(path, "it cannot be read: " + file.getError().message());
  Zip zip(path, (*file)->getBuffer());
  llvm::Expected<std::vector<Entry>> entries = zip.entries();
  if (!entries) return entries.takeError();
  std::vector<NpyArray> arrays;
  for (const Entry &entry : *entries) {
    llvm::Expected<std::vector<std::byte>> contents = zip.contents(entry);
    if (!contents) return contents.takeError();
    llvm::StringRef name = entry.name;
    name.consume_back(".npy");
    llvm::Expected<NpyArray> array = parseNpy(path, name.str(), std::move(*contents));
    if (!array) return array.takeError();
    arrays.push_back(std::move(*array));
  }
  return arrays;
}

} // namespace autotp
