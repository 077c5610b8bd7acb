/// \file The kinds of files that tokens are read from, and which of them a file is.
#pragma once

#include "runtime/data/token_file.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace autotp {

struct DataKind {
  llvm::StringLiteral name;       ///< as in KIND:FILE
  llvm::StringLiteral extensions; ///< of files that may be of this kind without being said to be, with blanks between
  llvm::StringLiteral magics[2];  ///< what such a file begins with, one of them; empty: anything
  llvm::StringLiteral help;
  /// `where` begins the messages. Errors: the file is not of this kind, or its parts contradict each other.
  llvm::Expected<TokenFile> (*open)(llvm::StringRef where, const std::string &path);
};
llvm::ArrayRef<DataKind> dataKinds();

/// Null: there is none of that name.
const DataKind *dataKindNamed(llvm::StringRef name);

/// Tells the kind by the file's extension and its first bytes. Errors: there is no such file; neither says a kind, or they
/// contradict each other.
llvm::Expected<const DataKind *> tellKind(llvm::StringRef where, const std::string &path);

/// Errors: what a file holds makes it doubtful that it is of the kind that its name told: a text with zero bytes, or
/// tokens of two bytes that make sense as tokens of four. `vocabulary`: tokens lie below it; 0: nothing is known of it.
llvm::Error checkTold(llvm::StringRef where, const DataKind &kind, const TokenFile &file, int64_t vocabulary);

} // namespace autotp
