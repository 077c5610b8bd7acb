/// \file Memory that processes of one host share. It has no name in any file system and is gone with the last of them,
/// however they end.
#pragma once

#include "llvm/Support/Error.h"

#include <cstddef>
#include <memory>
#include <string>

namespace autotp {

/// Where another process finds a segment. The token is in the segment too, so that a wrong one is found.
struct SegmentPlace {
  int64_t process = 0, descriptor = 0;
  std::string token; ///< 16 hexadecimal digits
};

class Segment {
public:
  /// Makes one of zeros. Errors: the system has no memory for it.
  static llvm::Expected<Segment> make(size_t bytes);
  /// Maps that of another process, which still holds it open. Errors: it cannot be reached from here, or is another one.
  static llvm::Expected<Segment> open(const SegmentPlace &place, size_t bytes);

  Segment() = default;
  Segment(Segment &&other) noexcept;
  Segment &operator=(Segment &&other) noexcept;
  ~Segment();
  /// For the others, until stopOffering().
  SegmentPlace place() const;
  /// Nobody can map it from now on.
  void stopOffering();
  /// Of `bytes` bytes, aligned as a page is; mapped as long as somebody holds it.
  const std::shared_ptr<std::byte> &memory() const { return memory_; }

private:
  static llvm::Expected<Segment> map(int descriptor, size_t bytes);

  int descriptor_ = -1;
  std::string token_;
  std::shared_ptr<std::byte> memory_;
};

} // namespace autotp
