#include "compiler/certify/operators/node_attempt.h"

#include "compiler/certify/operators/call_attributes.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

/// Attributes that say which part is local. They are checked against the lists instead.
bool saysWhichPart(llvm::StringRef name) {
  return name == "offset" || name == "rows" || name == "class_offset" || name == "classes" || name == "length";
}

/// The parts are integers, whatever they say.
bool attributesAgreeButForParts(const plan::KernelCall &call, const Attributes &attributes, std::string &why) {
  if (!attributesAgree(call, attributes, saysWhichPart, why)) return false;
  for (const plan::Attribute &given : call.attributes()) {
    if (!saysWhichPart(given.name()) || given.value_case() == plan::Attribute::kInteger) continue;
    why = "its attribute '" + escaped(given.name()) + "' is no integer";
    return false;
  }
  return true;
}

} // namespace

bool NodeAttempt::fail(const llvm::Twine &text) {
  why_ = text.str();
  return false;
}

std::string NodeAttempt::textOf(unsigned operand) const { return "operand " + std::to_string(operand); }

bool NodeAttempt::run(std::vector<const Content *> &results) {
  if (node_.operands.size() != reads_.size() || indices_.isUnknown) return fail("it has another number of operands");
  if (!attributesAgreeButForParts(call_, *node_.attributes, why_)) return false;
  for (unsigned k = 0; k < reads_.size(); ++k)
    if (!takeOperand(k)) return false;
  if (!takeScatter()) return false;
  for (unsigned k = 0; k < reads_.size(); ++k)
    if (!takeConstant(k)) return false;
  for (unsigned k = 0; k < reads_.size(); ++k)
    if (!takeZeros(k)) return false;
  if (!checkParts() || !checkPending()) return false;
  for (const std::optional<ListId> &list : leaves_)
    bound_.push_back(list.value_or(kUnbound));
  for (size_t j = 0; j < node_.results.size(); ++j) {
    const Content *made = nullptr;
    if (!makeResult(j, made)) return false;
    results.push_back(made);
  }
  return true;
}

bool NodeAttempt::bind(unsigned leaf, ListId list) {
  if (lists_.isFree(list) && lists_.length(list) == indices_.sizes[leaf]) list = lists_.whole(indices_.sizes[leaf]);
  std::optional<ListId> &known = leaves_[leaf];
  if (!known || lists_.fits(*known, list)) {
    known = list;
    return true;
  }
  if (*known == list || lists_.fits(list, *known)) return true;
  return fail("operands that share an index hold " + lists_.text(*known) + " and " + lists_.text(list) + " of it");
}

bool NodeAttempt::takeOperand(unsigned k) {
  const GlobalOperand &wanted = node_.operands[k];
  const OperandRead &read = reads_[k];
  if (read.dtype != wanted.type.dtype || read.shape.size() != wanted.type.shape.size())
    return fail(textOf(k) + " is of another dtype or rank than the operator's");
  if (!read.content) {
    for (auto [d, dim] : indexed(indices_.ins[k]))
      if (read.shape[d] == 0 && dim.kind == Dim::Kind::Leaf && !bind(dim.leaves[0], lists_.whole(0))) return false;
    return true;
  }
  if (wanted.kind != GlobalOperand::Kind::Value) return true; // below, once the lists are known
  if (read.content->isZero()) return true;                    // so are zeros
  if (!read.content->isMicroValue()) return fail(textOf(k) + " is " + describe(*read.content, values_, lists_));
  const std::optional<ViewId> id = values_.viewIn(read.content->root, wanted.view);
  if (!id)
    return fail(textOf(k) + " is " + describe(*read.content, values_, lists_) + ", not '" +
                escaped(values_.root(values_.view(wanted.view).root).name) + "'");
  const View &view = values_.view(*id);
  views_[k] = *id;
  std::optional<Lists> held = moves_.inView(view, read.content->lists, read.shape);
  if (!held || lists_.lengths(*held) != read.shape)
    return fail(textOf(k) + " is " + describe(*read.content, values_, lists_) +
                ", which is no such part of the operator's operand");
  return bindDims(k, *held);
}

bool NodeAttempt::bindDims(unsigned k, llvm::ArrayRef<ListId> held) {
  for (auto [d, dim] : indexed(indices_.ins[k])) {
    Lists parts(dim.leaves.size(), 0);
    if (!listsOfLeaves(lists_, indices_, dim, held[d], parts))
      return fail(textOf(k) + " holds " + lists_.text(held[d]) + " of dimension " + llvm::Twine(d) +
                  ", which is no product of its indices");
    if (dim.kind == Dim::Kind::Product && lists_.length(held[d]) == 0) continue;
    for (auto [i, leaf] : indexed(dim.leaves))
      if (!bind(leaf, parts[i])) return false;
  }
  return true;
}

/// Rows of a table that is added to, or elements of rows: the result's, from where the step says.
bool NodeAttempt::takeScatter() {
  if (indices_.scatter < 0) return true;
  const auto dim = llvm::find_if(indices_.outs[0], [&](const Dim &own) {
    return own.kind == Dim::Kind::Leaf && own.leaves[0] == unsigned(indices_.scatter);
  });
  const int d = int(dim - indices_.outs[0].begin());
  if (call_.results_size() != 1 || d >= call_.results(0).shape_size()) return fail("it has another result");
  const int64_t offset = integerOf(call_, "offset"), rows = call_.results(0).shape(d);
  if (offset < 0 || offset + rows > indices_.sizes[size_t(indices_.scatter)])
    return fail("its rows are not the table's");
  return bind(unsigned(indices_.scatter), lists_.of({Interval{offset, offset + rows}}));
}

bool NodeAttempt::takeConstant(unsigned k) {
  const GlobalOperand &wanted = node_.operands[k];
  if (wanted.kind == GlobalOperand::Kind::Value || !reads_[k].content) return true;
  const Content &content = *reads_[k].content;
  if (content.kind != Content::Kind::Constant || content.isAccumulated || content.isSummedOverDp)
    return fail(textOf(k) + " is " + describe(content, values_, lists_) + ", not a constant of the graph");
  // Zeros where the graph has others count on another rank; but where nothing is pending, they may be its own there.
  const bool mayBeNothing = isAdditive() && content.isZero() && !isZeroConstant(wanted);
  const bool isNothing = mayBeNothing && llvm::any_of(reads_, [](const OperandRead &read) {
                           return read.content && read.content->pending != Pending::None;
                         });
  Lists held;
  const bool isFill = wanted.kind == GlobalOperand::Kind::Fill;
  const std::optional<Lists> claimed = moves_.claimedPart(content, wanted, reads_[k].shape);
  std::optional<size_t> open; // a dimension of which nothing says which part is here: found by what is there
  for (auto [d, dim] : indexed(indices_.ins[k])) {
    std::optional<ListId> list;
    const int64_t size = reads_[k].shape[d];
    const bool isKnown = llvm::all_of(dim.leaves, [&](unsigned leaf) { return leaves_[leaf].has_value(); });
    if (isKnown) {
      Lists own;
      for (const auto &leaf : leaves_)
        own.push_back(leaf.value_or(0));
      list = listOfDim(lists_, indices_, dim, own);
    }
    const bool isAny = !isKnown || (list && lists_.isFree(*list)); // the others have the same at each index
    if (isAny && claimed) {
      list = (*claimed)[d];
    } else if (isAny && size == wanted.type.shape[d]) {
      list = lists_.whole(size);
    } else if (!isKnown && isFill) {
      list = int(d) == indices_.cutDim ? hintFor(k, size) : lists_.free(size);
    } else if (isAny && !isFill && !open) {
      open = d;
      list = lists_.free(size);
    }
    if (!list || lists_.length(*list) != size)
      return fail(textOf(k) + ", a constant, is not the part that the others need");
    held.push_back(*list);
  }
  if (open && !isNothing) {
    std::optional<ListId> part = moves_.partAlong(content, wanted, held, *open, reads_[k].shape[*open]);
    if (!part && !mayBeNothing) return fail(textOf(k) + " is no part of the graph's constant");
    if (part) held[*open] = *part;
  }
  if (!bindDims(k, held)) return false;
  if (!isNothing && moves_.isPartOf(content, wanted, held)) return true;
  if (mayBeNothing) return addsParts_ = true;
  return fail(textOf(k) + " is another constant than the graph's");
}

/// 0 where a value is wanted: the graph has zeros there too, or it is nobody's part of a sum.
bool NodeAttempt::takeZeros(unsigned k) {
  const GlobalOperand &wanted = node_.operands[k];
  isGraphsZero_.push_back(false);
  if (wanted.kind != GlobalOperand::Kind::Value || !reads_[k].content || !reads_[k].content->isZero()) return true;
  Lists own, held;
  bool isKnown = true;
  for (const auto &leaf : leaves_)
    own.push_back(leaf.value_or(0));
  for (auto [d, dim] : indexed(indices_.ins[k])) {
    isKnown &= llvm::all_of(dim.leaves, [&](unsigned leaf) { return leaves_[leaf].has_value(); });
    std::optional<ListId> list = isKnown ? listOfDim(lists_, indices_, dim, own) : std::nullopt;
    isKnown &= list && lists_.length(*list) == reads_[k].shape[d] && !lists_.isFree(*list);
    if (!isKnown) break;
    held.push_back(*list);
  }
  if (isKnown && values_.isZero(wanted.view, held)) return isGraphsZero_.back() = true;
  if (isAdditive()) return addsParts_ = true;
  return fail(textOf(k) + " is 0 throughout, and not in the graph");
}

/// Zeros in a segment of a concat.
std::optional<ListId> NodeAttempt::hintFor(unsigned operand, int64_t held) {
  const size_t cut = size_t(indices_.cutDim);
  int64_t begin = 0;
  for (unsigned before = 0; before < operand; ++before)
    begin += node_.operands[before].type.shape[cut];
  return moves_.hintFor(node_.resultTypes[0].shape[cut], call_.results(0).shape(int(cut)),
                        {begin, begin + node_.operands[operand].type.shape[cut]}, held);
}

/// Which part of looked-up rows and of classes the step says it has, and what must be whole.
bool NodeAttempt::checkParts() {
  for (auto [leaf, list] : indexed(leaves_))
    if (indices_.isWhole[leaf] && list && !lists_.isWhole(*list, indices_.sizes[leaf]) && lists_.length(*list) > 0)
      return fail("it holds " + lists_.text(*list) + " of an index that the operator needs whole");
  if (int leaf = std::max(indices_.lookup, indices_.scatter); leaf >= 0) {
    const int64_t rows = indices_.sizes[size_t(leaf)];
    if (!isFrom(leaf, integerOf(call_, "offset")) || integerOf(call_, "rows", rows) != rows)
      return fail("its offset or number of rows is not that of its part of the table");
  }
  if (indices_.classes >= 0) {
    const int64_t all = indices_.sizes[size_t(indices_.classes)];
    if (!isFrom(indices_.classes, integerOf(call_, "class_offset")) || integerOf(call_, "classes", all) != all)
      return fail("its class offset is not that of its part of the classes");
  }
  return true;
}
bool NodeAttempt::isFrom(int leaf, int64_t offset) const {
  const std::optional<ListId> &list = leaves_[size_t(leaf)];
  if (!list || lists_.length(*list) == 0) return true;
  return !lists_.isFree(*list) && lists_.intervals(*list).size() == 1 && lists_.first(*list) == offset;
}

bool NodeAttempt::checkPending() {
  for (unsigned k = 0; k < reads_.size(); ++k) {
    if (!reads_[k].content || reads_[k].content->pending == Pending::None) continue;
    const std::string what = textOf(k) + " is " + describe(*reads_[k].content, values_, lists_);
    if (reads_[k].content->pending == Pending::Max || !isLinear(node_, k))
      return fail(what + ", and the operator needs it reduced");
    if (isAdditive()) {
      addsParts_ = true;
      continue;
    }
    if (pending_ >= 0) return fail(what + ", and so is another operand");
    pending_ = int(k);
  }
  return true;
}

bool NodeAttempt::makeResult(size_t j, const Content *&made) {
  const plan::TensorRef &result = call_.results(int(j));
  const Type &type = node_.resultTypes[j];
  if (result.dtype() != uint32_t(type.dtype) || result.shape_size() != int(type.shape.size()))
    return fail("its result is of another dtype or rank than the operator's");
  const bool isRepeated = llvm::StringRef(node_.row->name) == "expand"; // it does not depend on its new indices
  Content content;
  content.dtype = type.dtype;
  content.root = node_.results[j];
  for (auto [d, dim] : indexed(indices_.outs[j])) {
    const int64_t size = result.shape(int(d)), all = type.shape[d];
    std::optional<ListId> list;
    if (llvm::all_of(dim.leaves, [&](unsigned leaf) { return bound_[leaf] != kUnbound; }))
      list = listOfDim(lists_, indices_, dim, bound_);
    else if (size == all || size == 0)
      list = lists_.whole(size);
    else if (isRepeated)
      list = lists_.free(size);
    if (!list || (lists_.length(*list) != size && size != 0))
      return fail("dimension " + llvm::Twine(d) + " of its result has " + llvm::Twine(size) + " elements, not " +
                  (list ? lists_.text(*list) : std::string("what its operands give")));
    content.lists.push_back(size == 0 ? lists_.whole(0) : *list);
  }
  content.bytes = uint64_t(lists_.elements(content.lists)) * sizeOf(content.dtype);
  if (content.bytes == 0) return true;
  if (!(addsParts_ ? addParts(content) : pending_ >= 0 ? passParts(j, content) : sumParts(j, content))) return false;
  made = store_.add(std::move(content));
  return true;
}

} // namespace autotp
