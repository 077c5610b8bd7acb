#include "runtime/base/digest.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fstream>
#include <vector>

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

} // namespace autotp
