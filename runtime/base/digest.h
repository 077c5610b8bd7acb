/// \file Digests, by which a file is known to be the one that was written.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <memory>
#include <string>
#include <vector>

namespace autotp {

constexpr size_t kDigestDigits = 32;

/// XXH3 of 128 bits (https://github.com/Cyan4973/xxHash) in lower-case hexadecimal digits, as xxh128sum prints it. It is
/// faster than memory is read, and finds what was cut or edited; against somebody who seeks two files of one digest it
/// is no protection.
std::string digestOf(llvm::StringRef bytes);
/// That of a file, which is read in pieces, so that it does not end up in memory. Empty if it cannot be read.
std::string digestOfFile(const std::string &path);

struct FileDigest {
  std::string path, digest;
};
/// The places of those files that have another digest, or cannot be read, in order. A few files are read at once.
std::vector<size_t> changedFiles(llvm::ArrayRef<FileDigest> files);

/// The digest of bytes that come one piece after the other.
class Digest {
public:
  Digest();
  ~Digest();
  void add(llvm::StringRef bytes);
  std::string text() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace autotp
