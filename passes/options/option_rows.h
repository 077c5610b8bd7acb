/// \file All options of autotp-compile, in the order of --help and of the documents. A new option is a row in one of the
/// sections, and its member in CompileOptions.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace autotp {

struct CompileRow;
struct OptionSection;

OptionSection fileOptions();      // file_rows.cpp: what is read and written
OptionSection modelOptions();     // model_rows.cpp: what the model's file leaves open
OptionSection parameterOptions(); // parameter_rows.cpp: what is trained
OptionSection meshOptions();      // mesh_rows.cpp: ranks, and what they share out
OptionSection optimizerOptions(); // optimizer_rows.cpp
OptionSection lookOptions();      // look_rows.cpp: what the compiler shows of its work

llvm::ArrayRef<OptionSection> optionSections();

/// Every row, one section after the other.
llvm::ArrayRef<const CompileRow *> optionRows();

/// The row of this name, see CompileRow::name(); null: there is none.
const CompileRow *findOption(llvm::StringRef name);
/// The same, where there must be one.
const CompileRow &optionNamed(llvm::StringRef name);

/// What is wrong with a table, one line for each fault: a name or key twice, a range of what is no number, words
/// that contradict their member, or a change of the graph that the manifest does not record. Empty: nothing.
std::string faultsOf(llvm::ArrayRef<const CompileRow *> rows);

} // namespace autotp
