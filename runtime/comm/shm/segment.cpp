#include "runtime/comm/shm/segment.h"

#include "runtime/base/error.h"

#include "llvm/ADT/StringExtras.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

namespace autotp {
namespace {

constexpr size_t kTokenBytes = 8, kTokenSpace = 64; ///< the token lies behind the memory, in a cache line of its own

std::string systemsWord() { return std::strerror(errno); }

} // namespace

Segment::Segment(Segment &&other) noexcept { *this = std::move(other); }

Segment &Segment::operator=(Segment &&other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(token_, other.token_);
  std::swap(memory_, other.memory_);
  return *this;
}

Segment::~Segment() { stopOffering(); }

void Segment::stopOffering() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

SegmentPlace Segment::place() const { return {::getpid(), descriptor_, token_}; }

llvm::Expected<Segment> Segment::map(int descriptor, size_t bytes) {
  Segment segment;
  segment.descriptor_ = descriptor;
  const size_t all = bytes + kTokenSpace;
  void *at = ::mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (at == MAP_FAILED)
    return problem("memory of ranks", "it cannot be mapped: " + systemsWord(), "start fewer ranks on this host");
  segment.memory_.reset(static_cast<std::byte *>(at), [all](std::byte *memory) { (void)::munmap(memory, all); });
  return segment;
}

llvm::Expected<Segment> Segment::make(size_t bytes) {
  const int descriptor = ::memfd_create("autotp ranks", MFD_CLOEXEC);
  if (descriptor < 0 || ::ftruncate(descriptor, off_t(bytes + kTokenSpace)) != 0) {
    const std::string why = systemsWord();
    if (descriptor >= 0) ::close(descriptor);
    return problem("memory of ranks", llvm::formatv("{0} bytes cannot be had: {1}", bytes, why).str(),
                   "start fewer ranks on this host");
  }
  llvm::Expected<Segment> segment = map(descriptor, bytes);
  if (!segment) return segment.takeError();
  uint8_t token[kTokenBytes];
  if (::getrandom(token, sizeof token, 0) != sizeof token)
    return problem("memory of ranks", "the system gives no random bytes: " + systemsWord());
  std::memcpy(segment->memory_.get() + bytes, token, sizeof token);
  segment->token_ = llvm::toHex(token, /*LowerCase=*/true);
  return segment;
}

llvm::Expected<Segment> Segment::open(const SegmentPlace &place, size_t bytes) {
  const std::string path = llvm::formatv("/proc/{0}/fd/{1}", place.process, place.descriptor).str();
  const char *remedy = "start all ranks of a host in one container and as one user";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT)
    return problem("rank 0", llvm::formatv("its process {0} has ended while the ranks met", place.process).str(),
                   remedy);
  if (descriptor < 0)
    return problem("memory of ranks",
                   "that of process " + std::to_string(place.process) + " cannot be opened: " + systemsWord(), remedy);
  if (::lseek(descriptor, 0, SEEK_END) != off_t(bytes + kTokenSpace)) {
    ::close(descriptor);
    return problem("memory of ranks", path + " is something else", remedy);
  }
  llvm::Expected<Segment> segment = map(descriptor, bytes);
  if (!segment) return segment.takeError();
  segment->stopOffering();
  const llvm::StringRef token(reinterpret_cast<const char *>(segment->memory_.get() + bytes), kTokenBytes);
  if (llvm::toHex(token, /*LowerCase=*/true) == place.token) return segment;
  return problem("memory of ranks", path + " is another run's", remedy);
}

} // namespace autotp
