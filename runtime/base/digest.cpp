#include "runtime/base/digest.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <future>

namespace autotp {

static std::string textOf(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  return llvm::toHex(bytes.digest, /*LowerCase=*/true);
}

std::string digestOf(llvm::StringRef bytes) { return textOf(XXH3_128bits(bytes.data(), bytes.size())); }

struct Digest::State {
  XXH3_state_t xxh;
};

Digest::Digest() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }
Digest::~Digest() = default;
void Digest::add(llvm::StringRef bytes) { XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size()); }
std::string Digest::text() const { return textOf(XXH3_128bits_digest(&state_->xxh)); }

std::string digestOfFile(const std::string &path) {
  if (!llvm::sys::fs::is_regular_file(path)) return "";
  std::ifstream stream(path, std::ios::binary);
  std::vector<char> piece(size_t(1) << 20);
  Digest digest;
  while (stream.good()) {
    stream.read(piece.data(), std::streamsize(piece.size()));
    digest.add({piece.data(), size_t(stream.gcount())});
  }
  return stream.eof() ? digest.text() : "";
}

std::vector<size_t> changedFiles(llvm::ArrayRef<FileDigest> files) {
  constexpr size_t kMostAtOnce = 4; // one reader alone leaves a disk waiting while it digests
  std::vector<uint8_t> isChanged(files.size());
  std::atomic<size_t> next = 0;
  auto check = [&] {
    for (size_t i; (i = next++) < files.size();)
      isChanged[i] = digestOfFile(files[i].path) != files[i].digest;
  };
  std::vector<std::future<void>> readers(std::min(kMostAtOnce, files.size()));
  for (std::future<void> &reader : readers)
    reader = std::async(std::launch::async, check);
  for (std::future<void> &reader : readers)
    reader.wait();
  std::vector<size_t> changed;
  for (size_t i = 0; i < files.size(); ++i)
    if (isChanged[i]) changed.push_back(i);
  return changed;
}

} // namespace autotp
