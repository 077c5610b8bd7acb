/// \file The weights of a plan that refers to files of the user's instead of having a copy.
#pragma once

#include "runtime/checkpoint/stored_weights.h"
#include "runtime/plan/referenced_files.h"

namespace autotp {

class Executor;

/// After open(), several threads may use it at once.
class ReferencedWeights {
public:
  /// `referenced` must outlive it. Errors, all at once: files that are not where they were.
  static llvm::Expected<std::unique_ptr<ReferencedWeights>> open(const ReferencedFiles &referenced);

  /// Compares every `of`-th file, from the `first` on, with what it was when the plan was compiled. Errors name those that
  /// differ.
  llvm::Error verify(size_t first, size_t of) const;
  /// Fills a rank's parameters. Each rank reads what it holds and no more. Errors: the files do not fit the program.
  llvm::Error fill(Executor &executor) const;
  /// The bytes that all elements read so far take in the files.
  uint64_t bytesRead() const { return stored_->bytesRead(); }

private:
  explicit ReferencedWeights(const ReferencedFiles &referenced) : referenced_(referenced) {}

  const ReferencedFiles &referenced_;
  std::unique_ptr<StoredWeights> stored_;
};

} // namespace autotp
