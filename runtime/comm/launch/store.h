/// \file Ranks of several processes meet in a store of keys and values: torchrun's own, or one that rank 0 serves.
/// Both speak torch's TCP store protocol: a byte says what is asked, strings are a u64 of their length and their bytes,
/// in the host's order. Of it are used: VALIDATE 0 (a u32), SET 1 (key, value), GET 3 (key; a string), CHECK 5 (a u64
/// of keys, keys; byte 0 where all are there).
#pragma once

#include "runtime/comm/launch/id_exchange.h"

#include <chrono>
#include <cstdint>

namespace autotp {

constexpr uint32_t kStoreMagic = 0x3C85F7CE;
constexpr uint64_t kLargestStoreString = 1 << 20; ///< of a key or a value: asked for in memory only up to this

/// Keys get `prefix`, which is one run's own. Errors: nobody listens within `limit`. A call that fails closes the
/// connection: what comes after is not known to be the answer to the next question.
llvm::Expected<std::unique_ptr<IdExchange>> connectToStore(const std::string &host, uint16_t port, std::string prefix,
                                                           std::chrono::milliseconds limit);

/// Serves until it is destroyed; it then waits for its clients to leave first, `linger` at most. Where a client goes
/// that has set a key of this prefix, but not kLeftKey, kFailedKey is set to kNoWord; without a prefix nothing is.
class StoreServer {
public:
  virtual ~StoreServer() = default;
  virtual uint16_t port() const = 0;
};
llvm::Expected<std::unique_ptr<StoreServer>> serveStore(uint16_t port, std::chrono::milliseconds linger,
                                                        std::string prefix = "");

} // namespace autotp
