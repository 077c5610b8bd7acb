#include "compiler/certify/rules/squares.h"

#include "runtime/base/error.h"

#include <map>

namespace autotp {
namespace {

/// Adds the boxes of a member, by parameter.
bool addMember(const Proof &proof, const Content &content, bool overDp, std::map<RootId, std::vector<Lists>> &boxes,
               std::string &why) {
  llvm::SmallVector<const Content *, 8> open = {&content};
  while (!open.empty()) {
    const Content &next = *open.pop_back_val();
    if (next.addends[0]) {
      open.append({next.addends[1], next.addends[0]});
      continue;
    }
    if (proof.options.dp > 1 && next.isSliced != overDp) {
      why = next.isSliced ? "slices are not added over dp" : "what every dp rank has is added over dp";
      return false;
    }
    for (const auto &[parameter, box] : next.counted)
      boxes[parameter].push_back(box);
  }
  return true;
}

} // namespace

bool countEachOnce(Proof &proof, llvm::ArrayRef<const Content *> members, bool overDp, std::string &why) {
  std::map<RootId, std::vector<Lists>> boxes;
  for (const Content *content : members) {
    if (content->kind != Content::Kind::Squares || content->isComplete) {
      why = "what is added to the norm is " + describe(*content, proof.values, proof.lists);
      return false;
    }
    if (!addMember(proof, *content, overDp, boxes, why)) return false;
  }
  for (const auto &row : proof.parameters) {
    Lists whole;
    for (int64_t size : row.second.type.shape)
      whole.push_back(proof.lists.whole(size));
    if (proof.contributions.boxesTile(boxes[row.second.root], whole, Pending::Sum, why)) continue;
    why = "in the norm, of the gradient of '" + escaped(row.first()) + "', " + why;
    return false;
  }
  return true;
}

} // namespace autotp
