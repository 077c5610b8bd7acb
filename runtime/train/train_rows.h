/// \file All options of autotp-run, in the order of --help and of the documents. A new option is a row in one of the
/// sections, and its member in TrainOptions.
#pragma once

#include "runtime/options/option_row.h"

namespace autotp {

llvm::ArrayRef<OptionSection> trainSections();

} // namespace autotp
