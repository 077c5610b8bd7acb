/// \file Flags of LLVM's command line, made from the rows of options.
#pragma once

#include "runtime/options/option_values.h"

#include "llvm/Support/CommandLine.h"

#include <memory>
#include <string>
#include <vector>

namespace autotp {

/// Registers a flag for each row that has one, and shows each section under its title; one object a program. A flag takes
/// any text: what is wrong with values is said by setFlags(), of all flags at once.
class OptionFlags {
public:
  explicit OptionFlags(llvm::ArrayRef<OptionSection> sections);

  /// The sections, as --help shows them.
  llvm::ArrayRef<const llvm::cl::OptionCategory *> categories() const { return categories_; }
  /// What was given, in the order of the rows.
  std::vector<GivenFlag> given() const;

private:
  struct Flag {
    const OptionRow *row;
    std::string help, placeholder;
    std::unique_ptr<llvm::cl::Option> option;
    std::vector<std::string> (*texts)(const llvm::cl::Option &); ///< what followed it, each time
  };
  void add(const OptionRow &row, llvm::cl::OptionCategory &category);

  std::vector<std::unique_ptr<llvm::cl::OptionCategory>> owned_;
  std::vector<const llvm::cl::OptionCategory *> categories_;
  std::vector<std::unique_ptr<Flag>> flags_; ///< LLVM keeps references to their texts
};

} // namespace autotp
