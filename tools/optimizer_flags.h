/// \file --optimizer and its options, on the command line.
#pragma once

#include "passes/train/optimizer_options.h"

#include "llvm/Support/CommandLine.h"

#include <memory>
#include <vector>

namespace autotp {

/// Registers the flags; one object a program.
class OptimizerFlags {
public:
  explicit OptimizerFlags(llvm::cl::OptionCategory &category);

  /// Names of the flags that were given ("--lr").
  std::vector<std::string> given() const;
  /// The options of --optimizer (default adamw), with what other flags say. `fromFile`: of a configuration, which names
  /// the optimizer where `isNamed`; flags overrule it. Errors: a flag that this optimizer does not have; numbers that
  /// make no sense.
  llvm::Expected<OptimizerOptions> options(const OptimizerOptions &fromFile, bool isNamed) const;

private:
  llvm::cl::opt<std::string> name_, decay_;
  llvm::cl::opt<bool> nesterov_;
  std::vector<std::unique_ptr<llvm::cl::opt<double>>> numbers_; ///< in the order of the table in the .cpp
};

} // namespace autotp
