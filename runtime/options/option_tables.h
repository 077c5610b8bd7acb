/// \file The options as people read them: the end of a line of --help, and the tables of the documents.
#pragma once

#include "runtime/options/option_row.h"

namespace autotp {

/// What --help says of an option: its help and its default.
std::string helpOf(const OptionRow &row);

/// "1", "adamw, adam 1e-8; adagrad 1e-10"; empty: it is not given, or nothing.
std::string defaultOf(const OptionRow &row);

/// "--tp N", "--shard auto|all": how it is written; empty: no flag says it.
std::string usageOf(const OptionRow &row);

/// README.md's table: each flag and what it means.
std::string flagTable(llvm::ArrayRef<OptionSection> sections);

/// A column of what the rows of one program alone say.
struct TableColumn {
  llvm::StringRef title;
  std::string (*cell)(const OptionRow &row);
};

/// docs/options.md's tables, one for each section: all that the rows say.
std::string optionTables(llvm::ArrayRef<OptionSection> sections, llvm::ArrayRef<TableColumn> more = {});

/// A text as a cell of a table, and one that is code.
std::string tableCell(llvm::StringRef text);
std::string codeCell(llvm::StringRef text);

} // namespace autotp
