/// \file The options as people read them: the end of a line of --help, and the tables of the documents.
#pragma once

#include <string>

namespace autotp {

struct OptionRow;

/// What --help says of an option: its help and its default.
std::string helpOf(const OptionRow &row);

/// "1", "adamw, adam 1e-8; adagrad 1e-10"; empty: it is not given, or nothing.
std::string defaultOf(const OptionRow &row);

/// "--tp N", "--shard auto|all": how it is written.
std::string usageOf(const OptionRow &row);

/// README.md's table: each flag and what it means.
std::string flagTable();

/// docs/options.md: all that the rows say.
std::string optionsPage();

} // namespace autotp
