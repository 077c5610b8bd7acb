/// \file --train, --freeze, --only, --parameters and --assume, on the command line: what is trained.
#pragma once

#include "passes/pipeline.h"

#include "llvm/Support/CommandLine.h"

namespace autotp {

/// Registers the flags; one object a program.
class ParameterFlags {
public:
  explicit ParameterFlags(llvm::cl::OptionCategory &category);

  /// Errors: flags that contradict each other; a value of --assume that is none.
  llvm::Error check() const;
  /// The file of --parameters; "" where there is none.
  const std::string &listFile() const { return list_; }
  /// What the flags and the file of --parameters say. Errors: a file that cannot be read, or that lists nothing.
  llvm::Error read(CompileOptions &options) const;

private:
  llvm::cl::opt<std::string> train_, freeze_, only_, list_, assume_;
  llvm::cl::opt<bool> noRetie_;
};

} // namespace autotp
