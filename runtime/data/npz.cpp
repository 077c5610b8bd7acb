#include "runtime/data/npz.h"

#include "runtime/base/error.h"
#include "runtime/base/input_file.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Endian.h"

#include <algorithm>
#include <zlib.h>

namespace autotp {
namespace {

using llvm::support::endian::read16le;
using llvm::support::endian::read32le;
using llvm::support::endian::read64le;

constexpr uint64_t kLocalHeader = 30; ///< bytes before the name of an array
constexpr uint64_t kPart = 1 << 30;   ///< bytes that zlib is given at a time

struct Entry {
  std::string name;
  uint16_t method = 0;
  uint32_t crc = 0;
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
    llvm::StringSet<> names;
    for (uint64_t i = 0; i < count; ++i) {
      if (directory > bytes_.size() || bytes_.size() - directory < 46 ||
          !bytes_.substr(directory).startswith("PK\x01\x02"))
        return problem(path_, "its directory is damaged");
      Entry entry;
      entry.method = read16le(at(directory + 10));
      entry.crc = read32le(at(directory + 16));
      entry.packed = read32le(at(directory + 20));
      entry.size = read32le(at(directory + 24));
      entry.header = read32le(at(directory + 42));
      uint64_t name = read16le(at(directory + 28)), extra = read16le(at(directory + 30)),
               comment = read16le(at(directory + 32));
      if (bytes_.size() - directory - 46 < name + extra) return problem(path_, "its directory is damaged");
      entry.name = bytes_.substr(directory + 46, name).str();
      readZip64(directory + 46 + name, extra, entry);
      if (!names.insert(entry.name).second)
        return problem(path_, "it holds two arrays '" + escaped(entry.name) + "'", "write it again");
      all.push_back(entry);
      directory += 46 + name + extra + comment;
    }
    if (llvm::Error error = checkPlaces(all)) return error;
    return all;
  }

  /// The bytes of an entry: in the file itself, or in `unpacked`.
  llvm::Expected<llvm::StringRef> contents(const Entry &entry, std::vector<char> &unpacked) const {
    auto damaged = [&] { return problem(path_, "array '" + escaped(entry.name) + "' is damaged"); };
    if (entry.header > bytes_.size() || bytes_.size() - entry.header < kLocalHeader) return damaged();
    uint64_t data = entry.header + kLocalHeader + read16le(at(entry.header + 26)) + read16le(at(entry.header + 28));
    if (data > bytes_.size() || entry.packed > bytes_.size() - data || entry.size > entry.packed * 1100 + 1024)
      return damaged();
    const llvm::StringRef packed = bytes_.substr(data, entry.packed);
    if (entry.method != kStored && entry.method != kDeflated) return damaged();
    if (entry.method == kStored) {
      if (entry.packed != entry.size || crcOf(packed) != entry.crc) return damaged();
      return packed;
    }
    unpacked.resize(entry.size);
    const llvm::StringRef contents(unpacked.data(), unpacked.size());
    if (!inflateTo(packed, unpacked) || crcOf(contents) != entry.crc) return damaged();
    return contents;
  }

private:
  enum : uint16_t { kStored = 0, kDeflated = 8 };

  const char *at(uint64_t offset) const { return bytes_.data() + offset; }

  /// Errors: two arrays lie in the same bytes. A small file could else hold any number of large ones.
  llvm::Error checkPlaces(llvm::ArrayRef<Entry> entries) const {
    std::vector<const Entry *> inOrder;
    for (const Entry &entry : entries)
      inOrder.push_back(&entry);
    llvm::sort(inOrder, [](auto *a, auto *b) { return a->header < b->header; });
    for (size_t i = 1; i < inOrder.size(); ++i)
      if (inOrder[i]->header - inOrder[i - 1]->header < kLocalHeader + inOrder[i - 1]->packed)
        return problem(path_,
                       "arrays '" + escaped(inOrder[i - 1]->name) + "' and '" + escaped(inOrder[i]->name) +
                           "' lie in the same bytes",
                       "write it again");
    return llvm::Error::success();
  }

  /// zlib counts in 32 bits, so it is given parts.
  static uint32_t crcOf(llvm::StringRef bytes) {
    uLong crc = crc32(0, nullptr, 0);
    for (; !bytes.empty(); bytes = bytes.drop_front(std::min<uint64_t>(kPart, bytes.size())))
      crc = crc32(crc, reinterpret_cast<const Bytef *>(bytes.data()), uInt(std::min<uint64_t>(kPart, bytes.size())));
    return uint32_t(crc);
  }

  /// Whether `from` is packed bytes of exactly the size of `to`. zlib counts in 32 bits, so it is given parts.
  static bool inflateTo(llvm::StringRef from, std::vector<char> &to) {
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
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> file = mapFile(path, path);
  if (!file) return file.takeError();
  const Zip zip(path, (*file)->getBuffer());
  llvm::Expected<std::vector<Entry>> entries = zip.entries();
  if (!entries) return entries.takeError();
  std::vector<NpyArray> arrays;
  for (const Entry &entry : *entries) {
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
