/// \file Small values that ranks leave for each other under keys, before they can communicate in any other way.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace autotp {

/// kFailedKey is set by the first who sees a failure, to what has failed; kLeftKey by each rank that leaves.
constexpr llvm::StringLiteral kFailedKey = "failed", kLeftKey = "left";
/// A value of kFailedKey that no one has printed yet; whoever sets another value prints it.
constexpr llvm::StringLiteral kNoWord = "a rank's process has ended without a word";

/// May be called by several threads at once.
class IdExchange {
public:
  virtual ~IdExchange() = default;
  /// Replaces the value of the key.
  virtual llvm::Error set(llvm::StringRef key, llvm::StringRef bytes) = 0;
  /// The value that was set last, or nothing if none is set yet. Does not wait.
  virtual llvm::Expected<std::optional<std::string>> look(llvm::StringRef key) = 0;

  /// Waits until the key is set. Errors: no one sets it within `limit`, or isStopped() becomes true.
  llvm::Expected<std::string> get(
      llvm::StringRef key, std::chrono::milliseconds limit,
      llvm::function_ref<bool()> isStopped = [] { return false; });
};

/// For ranks that are threads of one process.
std::unique_ptr<IdExchange> makeLocalExchange();

} // namespace autotp
