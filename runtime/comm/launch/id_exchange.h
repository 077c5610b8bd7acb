/// \file Small values that ranks leave for each other under keys, before they can talk in any other way.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace autotp {

/// Set to what has failed, by who sees it first; and by each rank when it leaves.
constexpr llvm::StringLiteral kFailedKey = "failed", kLeftKey = "left";
/// A value of kFailedKey that nobody has printed yet, as who sets another one does.
constexpr llvm::StringLiteral kNoWord = "a rank's process has ended without a word";

/// May be called by several threads at once.
class IdExchange {
public:
  virtual ~IdExchange() = default;
  virtual llvm::Error set(llvm::StringRef key, llvm::StringRef bytes) = 0;
  /// What was set last; nothing where nobody has set it yet. Does not wait for that.
  virtual llvm::Expected<std::optional<std::string>> look(llvm::StringRef key) = 0;

  /// Waits until somebody has set it. Errors: nobody does within `limit`, or `isStopped()` meanwhile.
  llvm::Expected<std::string> get(
      llvm::StringRef key, std::chrono::milliseconds limit,
      llvm::function_ref<bool()> isStopped = [] { return false; });
};

/// For ranks that are threads of one process.
std::unique_ptr<IdExchange> makeLocalExchange();

} // namespace autotp
