/// \file A TCP connection whose every wait has a limit.
#pragma once

#include "llvm/Support/Error.h"

#include <chrono>
#include <string>

namespace autotp {

class Socket {
public:
  explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
  Socket(Socket &&other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  Socket &operator=(Socket &&other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Socket();
  int descriptor() const { return descriptor_; }

  /// Sends or receives all bytes; false if the other side is gone, or `limit` has passed.
  bool send(llvm::StringRef bytes, std::chrono::milliseconds limit);
  bool receive(void *to, size_t bytes, std::chrono::milliseconds limit);

private:
  int descriptor_;
};

/// Tries again until someone listens there. Errors: no one does within `limit`; the host has no address.
llvm::Expected<Socket> connectTo(const std::string &host, uint16_t port, std::chrono::milliseconds limit);
/// Listens on all addresses of this host; port 0 takes any free one. Errors: the port is taken.
llvm::Expected<Socket> listenOn(uint16_t port);
uint16_t portOf(const Socket &listening);
/// The address of this host from which it reaches another one, as text. Nothing is sent. Errors: the host has no address.
llvm::Expected<std::string> addressTowards(const std::string &host, uint16_t port);

} // namespace autotp
