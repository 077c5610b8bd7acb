#include "runtime/checkpoint/find_checkpoint.h"

#include "runtime/base/error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace autotp {
namespace {

constexpr llvm::StringLiteral kPrefix = "step-";

/// What a folder holds under the name of a step: the checkpoint itself, or what a process that was killed has left of one.
struct Entry {
  int64_t step;
  std::string name;
  bool isWhole() const { return name == kPrefix.str() + std::to_string(step); }
};

/// Ascending by step, a checkpoint after what is left of others of that step.
std::vector<Entry> entriesIn(llvm::StringRef folder) {
  std::vector<Entry> entries;
  if (folder.empty()) return entries;
  std::error_code code;
  for (llvm::sys::fs::directory_iterator at(folder, code, /*follow_symlinks=*/true), end; !code && at != end;
       at.increment(code)) {
    const llvm::StringRef name = llvm::sys::path::filename(at->path());
    llvm::StringRef rest = name;
    int64_t step = 0;
    if (!rest.consume_front(kPrefix) || rest.consumeInteger(10, step) || step < 0) continue;
    if (rest.empty() || rest.startswith(".autotp-")) entries.push_back({step, name.str()});
  }
  llvm::sort(entries, [](const Entry &a, const Entry &b) {
    return std::tuple(a.step, a.isWhole(), a.name) < std::tuple(b.step, b.isWhole(), b.name);
  });
  llvm::erase_if(entries,
                 [](const Entry &e) { return e.name.find('.') == std::string::npos && !e.isWhole(); }); // step-007
  return entries;
}

} // namespace

std::string checkpointOf(llvm::StringRef folder, int64_t step) {
  return (folder + "/" + kPrefix + std::to_string(step)).str();
}

FoundCheckpoint newestCheckpoint(llvm::StringRef folder, const DamagedCheckpoints &known) {
  FoundCheckpoint found;
  found.isChosen = true;
  const std::vector<Entry> entries = entriesIn(folder);
  for (const Entry &entry : llvm::reverse(entries)) {
    const std::string path = (folder + "/" + entry.name).str();
    if (!entry.isWhole()) {
      found.passedOver.push_back(path + ": it was not written to its end");
      continue;
    }
    auto why = known.find(path);
    if (why == known.end()) {
      llvm::Expected<std::unique_ptr<CheckpointReader>> reader = CheckpointReader::open(path);
      if (reader) {
        found.reader = std::move(*reader);
        return found;
      }
      why = found.damaged.emplace(path, inOneLine(reader.takeError())).first;
    }
    found.damaged.insert(*why);
    found.passedOver.push_back(why->second);
  }
  return found;
}

llvm::Expected<FoundCheckpoint> namedCheckpoint(llvm::StringRef flag, llvm::StringRef named,
                                                const DamagedCheckpoints &known) {
  const std::string where = (flag + " " + escaped(named)).str();
  FoundCheckpoint found;
  if (llvm::sys::fs::exists(named + "/" + kCheckpointManifest)) {
    llvm::Expected<std::unique_ptr<CheckpointReader>> reader = CheckpointReader::open(named);
    if (!reader) return reader.takeError();
    found.reader = std::move(*reader);
    return found;
  }
  if (!llvm::sys::fs::is_directory(named))
    return problem(where, llvm::sys::fs::exists(named) ? "it is no folder" : "there is no such folder",
                   "name a checkpoint, or a folder of checkpoints");
  found = newestCheckpoint(named, known);
  if (!found.reader) return problem(where, "there is no whole checkpoint in it", "name another folder");
  return found;
}

std::string inOneLine(llvm::Error error) {
  const std::string text = describe(std::move(error));
  llvm::StringRef line = llvm::StringRef(text).split('\n').first;
  line.consume_front("error: ");
  return line.str();
}

std::vector<int64_t> stepsIn(llvm::StringRef folder) {
  std::vector<int64_t> steps;
  for (const Entry &entry : entriesIn(folder))
    if (entry.isWhole()) steps.push_back(entry.step);
  return steps;
}

} // namespace autotp
