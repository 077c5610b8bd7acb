/// \file One run at a time saves into a folder of checkpoints: two would replace and delete each other's.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace autotp {

/// The lock on a folder, as long as it lives. It is one of the system (flock) on a file in the folder, so it ends with the
/// process, however that ends, and the file stays.
class SaveLock {
public:
  /// Errors: another run has it, with its process and host; the file cannot be made.
  static llvm::Expected<std::unique_ptr<SaveLock>> take(llvm::StringRef folder);
  SaveLock(const SaveLock &) = delete;
  SaveLock &operator=(const SaveLock &) = delete;
  ~SaveLock();

  /// A line for the user, if the file system has no locks.
  const std::string &note() const { return note_; }

private:
  explicit SaveLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
  std::string note_;
};

} // namespace autotp
