/// \file What a model's import and the folding of its constants may take. A file of some kB could otherwise ask for any
/// memory and any time: by nodes that compute large constants from small ones, by functions that call others, by loops.
#pragma once

#include "llvm/Support/Error.h"

#include <cstdint>

namespace autotp {

/// Bytes that are held until the graph is complete, and operations on single elements. Taking more than there is makes
/// it overdrawn, which the next check says: so who takes need not check, if whoever goes from node to node does.
class Budget {
public:
  static constexpr uint64_t kOperationsPerByte = 2;
  static constexpr uint64_t kDefaultBytes = uint64_t(1) << 30; ///< beside twice the model's file

  explicit Budget(uint64_t bytes)
      : bytes_(bytes), bytesLeft_(double(bytes)), operationsLeft_(double(bytes) * kOperationsPerByte) {}

  void takeBytes(double bytes) { bytesLeft_ -= bytes; }
  void takeOperations(double operations) { operationsLeft_ -= operations; }
  /// Errors, which say what to do but not where: it is overdrawn, or would be by so much more, and now counts as such.
  llvm::Error check(double moreBytes = 0, double moreOperations = 0);

private:
  uint64_t bytes_;
  double bytesLeft_, operationsLeft_;
};

} // namespace autotp
