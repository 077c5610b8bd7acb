/// \file Flags of LLVM's command line, made from the rows of options.
#pragma once

#include "passes/options/read_options.h"

#include "llvm/Support/CommandLine.h"

#include <memory>
#include <vector>

namespace autotp {

/// Registers a flag for each row that has one; one object a program. It takes any text: what is wrong with a value is
/// said by readFlags(), of all flags at once.
class OptionFlags {
public:
  OptionFlags(llvm::ArrayRef<const OptionRow *> rows, llvm::cl::OptionCategory &category);

  /// What was given, in the order of the rows.
  std::vector<GivenFlag> given() const;

private:
  struct Flag {
    const OptionRow *row;
    std::string help, placeholder;
    std::unique_ptr<llvm::cl::Option> option;
    std::vector<std::string> (*texts)(const llvm::cl::Option &); ///< what followed it, each time
  };
  std::vector<std::unique_ptr<Flag>> flags_; ///< LLVM keeps references to their texts
};

} // namespace autotp
