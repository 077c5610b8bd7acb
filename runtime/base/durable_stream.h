/// \file Writes a file that shall reach the disk without passing through the page cache, where the file system allows it: the
/// cache would cost a copy of all that is written, and the kernel's work on its pages, beside whatever else the cores do.
#pragma once

#include "runtime/base/digest.h"

#include "llvm/Support/raw_ostream.h"

#include <memory>

namespace autotp {

/// Collects what is written in a piece of memory, from which it goes to the disk, and digests it there.
class DurableStream : public llvm::raw_ostream {
public:
  /// A new file. It is open unless errorNumber() says why not.
  explicit DurableStream(const std::string &file);
  ~DurableStream() override;

  /// Ends writing: all of it has reached the disk, unless errorNumber() says why not. Returns the digest of what was written.
  std::string finish();
  int errorNumber() const { return errorNumber_; }

private:
  void write_impl(const char *data, size_t size) override;
  uint64_t current_pos() const override { return position_; }
  void writePiece();
  void writeAll(const char *data, size_t size);

  int descriptor_, errorNumber_ = 0;
  std::unique_ptr<char, void (*)(void *)> piece_;
  size_t filled_ = 0; ///< bytes of the piece
  uint64_t position_ = 0;
  Digest digest_;
};

} // namespace autotp
