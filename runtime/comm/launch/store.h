/// \file The store of keys and values in which ranks of several processes meet: torchrun's own, or one that rank 0
/// serves. Both speak torch's TCP store protocol. A byte says what is asked; strings are a u64 with their length and
/// then their bytes, in the host's byte order. Used are VALIDATE 0 (a u32), SET 1 (key, value), GET 3 (key; answer: a
/// string) and CHECK 5 (a u64 with the number of keys, keys; answer: byte 0 if all are there).
#pragma once

#include "runtime/comm/launch/id_exchange.h"

#include <chrono>
#include <cstdint>

namespace autotp {

constexpr uint32_t kStoreMagic = 0x3C85F7CE;
constexpr uint64_t kLargestStoreString = 1 << 20; ///< the longest key or value; memory is allocated only up to this

/// `prefix`, which belongs to one run, is put before all keys. Errors: no one listens within `limit`. A call that fails
/// closes the connection, since later bytes may not be the answer to the next question.
llvm::Expected<std::unique_ptr<IdExchange>> connectToStore(const std::string &host, uint16_t port, std::string prefix,
                                                           std::chrono::milliseconds limit);

/// Serves until it is destroyed; it then waits for its clients to leave, for at most `linger`. If a client that has set
/// a key of this prefix is gone without setting kLeftKey, kFailedKey is set to kNoWord. Without a prefix this is not
/// watched.
class StoreServer {
public:
  virtual ~StoreServer() = default;
  virtual uint16_t port() const = 0;
};
llvm::Expected<std::unique_ptr<StoreServer>> serveStore(uint16_t port, std::chrono::milliseconds linger,
                                                        std::string prefix = "");

} // namespace autotp
