/// \file What the ranks of a run must have in common, each by its name.
#pragma once

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <map>
#include <string>
#include <vector>

namespace autotp {

/// Flags by what follows them ("--lr": "0.1"), and digests of what is larger ("plan"). A name that begins with "--" is a
/// flag, whose value is said.
using RankFacts = std::map<std::string, std::string>;

llvm::json::Object toJson(const RankFacts &facts);
/// What toJson() has made, as one line of text. Errors: it is something else.
llvm::Expected<RankFacts> readFacts(llvm::StringRef line);

/// Errors: ranks that differ from rank 0, each with all in which they do.
llvm::Error checkAgreement(const std::vector<RankFacts> &byRank);

} // namespace autotp
