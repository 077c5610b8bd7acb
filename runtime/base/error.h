/// \file Errors as values, in one form: what is wrong, where, and what to do about it. The compiler and the runtime use
/// them. Nothing here aborts, exits or prints.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FormatVariadic.h"

#include <string>

namespace autotp {

/// One mistake of the user, or of a file. `where` names a node, parameter, file or flag; `remedy` may be empty.
class Problem : public llvm::ErrorInfo<Problem> {
public:
  static char ID;
  Problem(std::string where, std::string what, std::string remedy)
      : where_(std::move(where)), what_(std::move(what)), remedy_(std::move(remedy)) {}
  void log(llvm::raw_ostream &os) const override;
  std::error_code convertToErrorCode() const override;
  Problem placed(llvm::StringRef where) const { return {where_.empty() ? where.str() : where_, what_, remedy_}; }

private:
  std::string where_, what_, remedy_;
};

/// For example problem("input 'ids' of model.onnx", "dimension 'seq' has no size", "give it one with --shape seq=N").
llvm::Error problem(llvm::StringRef where, llvm::StringRef what, llvm::StringRef remedy = "");

/// The error of a rank that ends because another one has failed. The other one prints the reason, so the command prints
/// nothing more.
class SaidElsewhere : public llvm::ErrorInfo<SaidElsewhere> {
public:
  static char ID;
  void log(llvm::raw_ostream &os) const override;
  std::error_code convertToErrorCode() const override;
};

/// The same errors, with `where` in those that do not say where they are.
llvm::Error placed(llvm::StringRef where, llvm::Error error);

/// The text for the user: one `error: ...` line for each joined error, each with its `  do:  ...` line; equal ones
/// once. Control characters that a message took over from a file are escaped. Consumes the error.
std::string describe(llvm::Error error);

/// A name from a file, safe to print: control characters and quotes are escaped, and long names are shortened.
std::string escaped(llvm::StringRef name);

} // namespace autotp
