#include "runtime/data/npz.h"

#include "runtime/base/error.h"
#include "runtime/data/input_files.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Endian.h"

#include <algorithm>
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
    if (!readZip64End(end, count, directory)) return problem(path_, "its directory is damaged");
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

  /// The bytes of an entry: in the file itself, or in `unpacked`.
  llvm::Expected<llvm::StringRef> contents(const Entry &entry, std::vector<char> &unpacked) const {
    auto damaged = [&] { return problem(path_, "array '" + escaped(entry.name) + "' is damaged"); };
    if (entry.header > bytes_.size() || bytes_.size() - entry.header < 30) return damaged();
    uint64_t data = entry.header + 30 + read16le(at(entry.header + 26)) + read16le(at(entry.header + 28));
    if (data > bytes_.size() || entry.packed > bytes_.size() - data || entry.size > entry.packed * 1100 + 1024)
      return damaged();
    if (entry.method == 0) {
      if (entry.packed != entry.size) return damaged();
      return bytes_.substr(data, entry.size);
    }
    if (entry.method != 8) return damaged();
    unpacked.resize(entry.size);
    if (!inflateTo(bytes_.substr(data, entry.packed), unpacked)) return damaged();
    return llvm::StringRef(unpacked.data(), unpacked.size());
  }

private:
  const char *at(uint64_t offset) const { return bytes_.data() + offset; }

  /// Whether `from` is packed bytes of exactly the size of `to`. zlib counts in 32 bits, so it is given parts.
  static bool inflateTo(llvm::StringRef from, std::vector<char> &to) {
    constexpr uint64_t kPart = 1 << 30;
    z_stream z{};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return false;
    uint64_t given = 0, taken = 0;
    int result = Z_OK;
    while (result == Z_OK) {
      const uint64_t in = std::min(kPart, from.size() - given), out = std::min(kPart, to.size() - taken);
      z.next_in = const_cast<Bytef *>(reinterpret_cast<const Bytef *>(from.data() + given));
      z.next_out = reinterpret_cast<Bytef *>(to.data() + taken);
      z.avail_in = uInt(in);
      z.avail_out = uInt(out);
      result = inflate(&z, Z_NO_FLUSH);
      given += in - z.avail_in;
      taken += out - z.avail_out;
    }
    inflateEnd(&z);
    return result == Z_STREAM_END && taken == to.size();
  }

  /// A zip with more than 4 GiB, or 65535 files, says its numbers in another record, which a locator before the last one
  /// names. False: that record is not there.
  bool readZip64End(size_t end, uint64_t &count, uint64_t &directory) const {
    const bool isCount = count == 0xffff, isDirectory = directory == 0xffffffff;
    if (!isCount && !isDirectory) return true;
    if (end < 20 || !bytes_.substr(end - 20).startswith("PK\x06\x07")) return isCount && !isDirectory;
    const uint64_t record = read64le(at(end - 20 + 8));
    if (record > bytes_.size() || bytes_.size() - record < 56 || !bytes_.substr(record).startswith("PK\x06\x06"))
      return false;
    if (isCount) count = read64le(at(record + 32));
    if (isDirectory) directory = read64le(at(record + 48));
    return true;
  }

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

} // namespace

llvm::Expected<std::vector<NpyArray>> readNpz(llvm::StringRef path) {
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> file = mapFile(path, path.str());
  if (!file) return file.takeError();
  const Zip zip(path, (*file)->getBuffer());
  llvm::Expected<std::vector<Entry>> entries = zip.entries();
  if (!entries) return entries.takeError();
  std::vector<NpyArray> arrays;
  llvm::StringSet<> names;
  for (const Entry &entry : *entries) {
    if (!names.insert(entry.name).second)
      return problem(path, "it holds two arrays '" + escaped(entry.name) + "'", "write it again");
    auto unpacked = std::make_shared<std::vector<char>>();
    llvm::Expected<llvm::StringRef> contents = zip.contents(entry, *unpacked);
    if (!contents) return contents.takeError();
    llvm::StringRef name = entry.name;
    name.consume_back(".npy");
    llvm::Expected<NpyArray> array = parseNpy((path + ": array '" + escaped(name) + "'").str(), *contents);
    if (!array) return array.takeError();
    array->name = name.str();
    array->owner = unpacked->empty() ? std::shared_ptr<const void>(*file) : unpacked;
    arrays.push_back(std::move(*array));
  }
  return arrays;
}

} // namespace autotp
