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

/// A line in which a rank says of itself what the others need to know when all meet.
std::string saidLine(llvm::json::Object object);
/// Reads one. Errors: `read` does not find there what it maps.
llvm::Error readSaid(llvm::StringRef line, llvm::function_ref<bool(llvm::json::ObjectMapper &)> read);
/// An error that all ranks find alike is said by rank 0 alone.
llvm::Error saidByFirst(llvm::Error error, int64_t rank);

/// Errors: ranks that differ from rank 0, each with all in which they do.
llvm::Error checkAgreement(const std::vector<RankFacts> &byRank);

} // namespace autotp
