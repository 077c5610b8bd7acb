#include "runtime/comm/launch/socket.h"

#include "runtime/base/error.h"

#include <cerrno>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace autotp {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

bool awaitReady(int descriptor, short what, Clock::time_point end) {
  while (true) {
    auto left = std::chrono::duration_cast<milliseconds>(end - Clock::now()).count();
    pollfd asked{descriptor, what, 0};
    int ready = ::poll(&asked, 1, int(left > 0 ? left : 0));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

/// Tries one address once. The descriptor stays non-blocking, since poll does all waiting.
int tryConnect(const addrinfo &address, Clock::time_point end) {
  int descriptor = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  int error = 0;
  socklen_t size = sizeof error;
  bool isOk = ::connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 || errno == EINPROGRESS;
  isOk = isOk && awaitReady(descriptor, POLLOUT, end) &&
         ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  if (!isOk) {
    ::close(descriptor);
    return -1;
  }
  int one = 1;
  (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return descriptor;
}

} // namespace

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool Socket::send(llvm::StringRef bytes, milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (!bytes.empty()) {
    ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
      bytes = bytes.drop_front(size_t(sent));
    else if ((sent < 0 && errno != EAGAIN && errno != EINTR) || !awaitReady(descriptor_, POLLOUT, end))
      return false;
  }
  return true;
}

bool Socket::receive(void *to, size_t bytes, milliseconds limit) {
  const auto end = Clock::now() + limit;
  char *at = static_cast<char *>(to);
  while (bytes > 0) {
    ssize_t got = ::recv(descriptor_, at, bytes, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return false;
    if (got < 0) {
      if (!awaitReady(descriptor_, POLLIN, end)) return false;
      continue;
    }
    at += got;
    bytes -= size_t(got);
  }
  return true;
}

llvm::Expected<Socket> connectTo(const std::string &host, uint16_t port, milliseconds limit) {
  const std::string where = llvm::formatv("store at {0}:{1}", escaped(host), port);
  const auto end = Clock::now() + limit;
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list))
    return problem(where, std::string("the host is not found: ") + ::gai_strerror(error), "see MASTER_ADDR");
  int descriptor = -1;
  while (descriptor < 0) {
    for (addrinfo *address = list; address && descriptor < 0; address = address->ai_next)
      descriptor = tryConnect(*address, end);
    if (descriptor >= 0 || Clock::now() >= end) break;
    std::this_thread::sleep_for(milliseconds(20));
  }
  ::freeaddrinfo(list);
  if (descriptor >= 0) return Socket(descriptor);
  return problem(where, llvm::formatv("nobody listens there within {0} ms", limit.count()).str(),
                 "see whether rank 0 was started, and whether MASTER_ADDR and MASTER_PORT reach it");
}

llvm::Expected<Socket> listenOn(uint16_t port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  int one = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (socket.descriptor() < 0 || ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
      ::bind(socket.descriptor(), reinterpret_cast<sockaddr *>(&address), sizeof address) ||
      ::listen(socket.descriptor(), 1024))
    return problem("rank 0's store", llvm::formatv("port {0} cannot be had", port).str(),
                   "set MASTER_PORT to a free one on all ranks");
  return socket;
}

uint16_t portOf(const Socket &listening) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  (void)::getsockname(listening.descriptor(), reinterpret_cast<sockaddr *>(&address), &size);
  return ntohs(address.sin_port);
}

llvm::Expected<std::string> addressTowards(const std::string &host, uint16_t port) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  std::string why = "it has no address";
  if (int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list)) why = ::gai_strerror(error);
  std::string text;
  for (addrinfo *address = list; address && text.empty(); address = address->ai_next) {
    Socket socket(::socket(address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    char name[NI_MAXHOST];
    if (::connect(socket.descriptor(), address->ai_addr, address->ai_addrlen) == 0 &&
        ::getsockname(socket.descriptor(), reinterpret_cast<sockaddr *>(&own), &size) == 0 &&
        ::getnameinfo(reinterpret_cast<sockaddr *>(&own), size, name, sizeof name, nullptr, 0, NI_NUMERICHOST) == 0)
      text = name;
  }
  if (list) ::freeaddrinfo(list);
  if (!text.empty()) return text;
  return problem("host " + escaped(host), "it is not reached: " + why, "see MASTER_ADDR");
}

} // namespace autotp
