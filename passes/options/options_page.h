/// \file docs/options.md.
#pragma once

#include "llvm/ADT/ArrayRef.h"

#include <string>

namespace autotp {

struct OptionSection;

/// All that the rows say, of autotp-compile and then of autotp-run, whose sections are given.
std::string optionsPage(llvm::ArrayRef<OptionSection> ofRuns);

} // namespace autotp
