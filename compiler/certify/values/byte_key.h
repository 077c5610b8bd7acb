/// \file Keys made of the bytes of numbers, and maps from them. They are looked up, never walked.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/xxhash.h"

#include <span>
#include <string>
#include <unordered_map>

namespace autotp {

class ByteKey {
public:
  template <typename T> ByteKey &add(const T &value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return addBytes(std::as_bytes(std::span(&value, 1)));
  }
  /// Adds a list with its length, so that lists that follow each other stay apart.
  template <typename T> ByteKey &addList(llvm::ArrayRef<T> values) {
    add(values.size());
    return addBytes(std::as_bytes(std::span(values.data(), values.size())));
  }
  bool operator==(const ByteKey &other) const { return bytes_ == other.bytes_; }

  struct Hash {
    size_t operator()(const ByteKey &key) const { return llvm::xxHash64(key.bytes_); }
  };

private:
  ByteKey &addBytes(std::span<const std::byte> bytes) {
    bytes_.append(reinterpret_cast<const char *>(bytes.data()), bytes.size());
    return *this;
  }

  std::string bytes_;
};

template <typename T> using ByteMap = std::unordered_map<ByteKey, T, ByteKey::Hash>;

} // namespace autotp
