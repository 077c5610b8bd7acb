#include "runtime/base/durable_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace autotp {
namespace {

constexpr size_t kPieceBytes = size_t(1) << 20;
constexpr size_t kCachedBytes = size_t(1) << 16; ///< what was just copied is still in the cache when it is digested
constexpr size_t kBlockBytes = 4096; ///< a multiple of every disk's blocks, to which direct writes are aligned

} // namespace

DurableStream::DurableStream(const std::string &file)
    : piece_(static_cast<char *>(std::aligned_alloc(kBlockBytes, kPieceBytes)), std::free) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  descriptor_ = ::open(file.c_str(), kFlags, 0666);
  if (descriptor_ < 0) errorNumber_ = errno;
  // Asked for after the file is there: where it is refused, open() might have made the file and failed.
  if (descriptor_ >= 0) (void)fcntl(descriptor_, F_SETFL, O_DIRECT);
}

DurableStream::~DurableStream() {
  flush();
  if (descriptor_ >= 0) (void)::close(descriptor_);
}

void DurableStream::write_impl(const char *data, size_t size) {
  position_ += size;
  while (size > 0) {
    const size_t taken = std::min({size, kPieceBytes - filled_, kCachedBytes});
    std::memcpy(piece_.get() + filled_, data, taken);
    digest_.add({piece_.get() + filled_, taken});
    filled_ += taken;
    data += taken;
    size -= taken;
    if (filled_ == kPieceBytes) writePiece();
  }
}

void DurableStream::writePiece() {
  const size_t blocks = filled_ / kBlockBytes * kBlockBytes;
  writeAll(piece_.get(), blocks);
  if (blocks < filled_) { // the end of the file
    (void)fcntl(descriptor_, F_SETFL, 0);
    writeAll(piece_.get() + blocks, filled_ - blocks);
  }
  filled_ = 0;
}

void DurableStream::writeAll(const char *data, size_t size) {
  while (size > 0 && errorNumber_ == 0) {
    const ssize_t written = ::write(descriptor_, data, size);
    if (written >= 0) {
      data += written;
      size -= size_t(written);
    } else if (errno == EINVAL && (fcntl(descriptor_, F_GETFL) & O_DIRECT)) {
      (void)fcntl(descriptor_, F_SETFL, 0); // larger blocks than ours, or none that can be written directly after all
    } else if (errno != EINTR) {
      errorNumber_ = errno;
    }
  }
}

std::string DurableStream::finish() {
  flush();
  if (errorNumber_ == 0) writePiece();
  if (errorNumber_ == 0 && fsync(descriptor_) != 0) errorNumber_ = errno;
  if (descriptor_ >= 0 && ::close(std::exchange(descriptor_, -1)) != 0 && errorNumber_ == 0) errorNumber_ = errno;
  return digest_.text();
}

} // namespace autotp
