#include "passes/options/deepspeed/known_keys.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/Twine.h"

#include <map>
#include <set>

namespace autotp {
namespace {

struct Index {
  std::map<std::string, const KnownKey *> byPath;
  std::set<std::string> sections;
};

const Index &index() {
  static const Index built = [] {
    Index made;
    for (const KnownKey *row : knownKeys()) {
      for (const std::string &path : pathsOf(*row))
        made.byPath[path] = row;
      for (llvm::StringRef section = row->section; !section.empty(); section = section.rsplit('.').first) {
        made.sections.insert(section.str());
        if (!section.contains('.')) break;
      }
    }
    return made;
  }();
  return built;
}

llvm::StringRef lastName(llvm::StringRef path) { return path.contains('.') ? path.rsplit('.').second : path; }

} // namespace

llvm::ArrayRef<const KnownKey *> knownKeys() {
  static const std::vector<const KnownKey *> rows = [] {
    std::vector<const KnownKey *> all;
    for (llvm::ArrayRef<KnownKey> some : {trainingKeys(), memoryKeys(), technicalKeys()})
      for (const KnownKey &row : some)
        all.push_back(&row);
    return all;
  }();
  return rows;
}

std::vector<std::string> pathsOf(const KnownKey &row) {
  llvm::SmallVector<llvm::StringRef, 4> names;
  row.names.split(names, ' ', -1, /*KeepEmpty=*/false);
  std::vector<std::string> paths;
  for (llvm::StringRef name : names)
    paths.push_back(row.section.empty() ? name.str() : (row.section + llvm::Twine(".") + name).str());
  return paths;
}

const KnownKey *findKnownKey(llvm::StringRef path) {
  auto at = index().byPath.find(path.str());
  return at == index().byPath.end() ? nullptr : at->second;
}

bool isKnownSection(llvm::StringRef path) { return index().sections.count(path.str()) != 0; }

/// The same name in another section is as near as a spelling with one letter wrong.
std::string closestKnownKey(llvm::StringRef path) {
  std::string closest;
  unsigned least = unsigned(path.size()) / 4 + 2;
  auto compare = [&](llvm::StringRef known) {
    const unsigned distance = lastName(known) == lastName(path) ? 1 : path.edit_distance(known);
    if (distance >= least) return;
    least = distance;
    closest = known.str();
  };
  for (const auto &[known, row] : index().byPath)
    compare(known);
  for (const std::string &section : index().sections)
    compare(section);
  return closest;
}

} // namespace autotp
