#include "runtime/data/data_spec.h"

#include "runtime/base/error.h"
#include "runtime/data/data_kinds.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/FileSystem.h"

#include <cmath>

namespace autotp {
namespace {

DataItem parseItem(llvm::StringRef text) {
  DataItem item;
  if (!llvm::sys::fs::exists(text)) {
    const auto [first, rest] = text.split(':');
    item.kind = dataKindNamed(first);
    if (item.kind) text = rest;
  }
  if (!llvm::sys::fs::exists(text)) {
    const auto [path, last] = text.rsplit(':');
    double weight = 0;
    if (!last.empty() && !last.getAsDouble(weight)) {
      item.weight = weight;
      text = path;
    }
  }
  item.pattern = text.str();
  return item;
}

} // namespace

llvm::Expected<std::vector<DataItem>> parseDataSpec(llvm::StringRef spec) {
  llvm::Error errors = llvm::Error::success();
  auto wrong = [&](const llvm::Twine &what, const llvm::Twine &remedy) {
    errors = llvm::joinErrors(std::move(errors), problem("--data " + escaped(spec), what.str(), remedy.str()));
  };
  llvm::SmallVector<llvm::StringRef> texts;
  llvm::sys::fs::exists(spec) ? texts.push_back(spec) : spec.split(texts, ',');
  std::vector<DataItem> items;
  for (llvm::StringRef text : texts) {
    DataItem item = parseItem(text);
    if (item.pattern.empty()) wrong("it names a file without a name", "write FILE, KIND:FILE or FILE:WEIGHT");
    if (item.weight && !(*item.weight > 0 && std::isfinite(*item.weight)))
      wrong("the weight of '" + escaped(item.pattern) + "' is not above 0", "give each file a share such as 0.3");
    items.push_back(std::move(item));
  }
  const size_t weighted = size_t(llvm::count_if(items, [](const DataItem &item) { return item.weight.has_value(); }));
  if (weighted != 0 && weighted != items.size())
    wrong("only " + llvm::Twine(weighted) + " of its " + llvm::Twine(items.size()) + " files have a weight",
          "give all of them one, or none; without weights every sample has the same chance");
  if (errors) return errors;
  return items;
}

} // namespace autotp
