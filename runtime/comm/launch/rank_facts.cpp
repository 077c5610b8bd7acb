#include "runtime/comm/launch/rank_facts.h"

#include "runtime/base/error.h"

#include "llvm/Support/raw_ostream.h"

namespace autotp {
namespace {

/// "--lr 0.1", or "no --lr".
std::string saidOf(llvm::StringRef name, const RankFacts &facts) {
  auto at = facts.find(name.str());
  return at == facts.end() ? "no " + name.str() : name.str() + " " + escaped(at->second);
}

/// In what a rank differs from rank 0; empty: in nothing.
std::string differences(const RankFacts &own, const RankFacts &first) {
  RankFacts all = own;
  all.insert(first.begin(), first.end());
  std::string text;
  for (const auto &[name, value] : all) {
    const auto inOwn = own.find(name), inFirst = first.find(name);
    if (inOwn != own.end() && inFirst != first.end() && inOwn->second == inFirst->second) continue;
    text += text.empty() ? "" : ", ";
    if (llvm::StringRef(name).startswith("-"))
      text += saidOf(name, own) + " (rank 0: " + saidOf(name, first) + ")";
    else
      text += "another " + name;
  }
  return text;
}

} // namespace

llvm::json::Object toJson(const RankFacts &facts) {
  llvm::json::Object object;
  for (const auto &[name, value] : facts)
    object[llvm::json::fixUTF8(name)] = llvm::json::fixUTF8(value);
  return object;
}

std::string saidLine(llvm::json::Object object) {
  std::string line;
  llvm::raw_string_ostream(line) << llvm::json::Value(std::move(object));
  return line;
}

llvm::Error readSaid(llvm::StringRef line, llvm::function_ref<bool(llvm::json::ObjectMapper &)> read) {
  auto parsed = llvm::json::parse(line);
  const llvm::json::Value value = parsed ? std::move(*parsed) : llvm::json::Value(nullptr);
  llvm::consumeError(parsed.takeError()); // the message below has the line
  llvm::json::Path::Root root;
  llvm::json::ObjectMapper map(value, root);
  if (map && read(map)) return llvm::Error::success();
  return problem("meeting of ranks", "a rank says '" + escaped(line) + "'", "start the same autotp-run everywhere");
}

llvm::Error saidByFirst(llvm::Error error, int64_t rank) {
  if (!error || rank == 0) return error;
  llvm::consumeError(std::move(error));
  return llvm::make_error<SaidElsewhere>();
}

llvm::Error checkAgreement(const std::vector<RankFacts> &byRank) {
  std::string text;
  for (size_t r = 1; r < byRank.size(); ++r)
    if (const std::string differs = differences(byRank[r], byRank[0]); !differs.empty())
      text += (text.empty() ? "rank " : "; rank ") + std::to_string(r) + " has " + differs;
  if (text.empty()) return llvm::Error::success();
  return problem("meeting of ranks", text, "start all ranks with one command, one plan and one build of autotp-run");
}

} // namespace autotp
