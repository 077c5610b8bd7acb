#include "compiler/certify/operators/attempt.h"

#include "compiler/certify/moves/views.h"
#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/refusal.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

/// These attributes say which part is local. They are checked against the lists instead.
bool saysWhichPart(llvm::StringRef name) {
  return name == "offset" || name == "rows" || name == "class_offset" || name == "classes" || name == "length";
}

/// Attributes that say the part are integers, whatever they say.
llvm::Error checkAttributesButParts(const plan::KernelCall &call, const Attributes &attributes) {
  if (llvm::Error error = checkAttributes(call, attributes, saysWhichPart)) return error;
  for (const plan::Attribute &given : call.attributes())
    if (saysWhichPart(given.name()) && given.value_case() != plan::Attribute::kInteger)
      return refuse("its attribute '" + escaped(given.name()) + "' is no integer");
  return llvm::Error::success();
}

} // namespace

bool Attempt::isAdditive() const { return node_.row->isAdditive; }

std::string Attempt::textOf(unsigned k) const {
  return "operand " + std::to_string(k) + " is " + symbols_.text(*reads_[k].content);
}

llvm::Expected<Results> Attempt::run() {
  if (node_.operands.size() != reads_.size() || indices_.isUnknown) return refuse("it has another number of operands");
  if (llvm::Error error = checkAttributesButParts(call_, *node_.attributes)) return error;
  if (llvm::Error error = takeOperands()) return error;
  if (llvm::Error error = checkParts()) return error;
  if (llvm::Error error = checkPartials()) return error;
  for (const std::optional<ListId> &list : leaves_)
    bound_.push_back(list.value_or(kUnbound));
  Results results;
  for (size_t j = 0; j < node_.results.size(); ++j) {
    llvm::Expected<const Content *> made = result(j);
    if (!made) return made.takeError();
    results.push_back(*made);
  }
  return results;
}

/// Takes values first: which parts constants and zeros are depends on them.
llvm::Error Attempt::takeOperands() {
  for (unsigned k = 0; k < reads_.size(); ++k)
    if (llvm::Error error = takeValue(k)) return error;
  if (llvm::Error error = takeScatter()) return error;
  for (unsigned k = 0; k < reads_.size(); ++k)
    if (llvm::Error error = takeConstant(k)) return error;
  for (unsigned k = 0; k < reads_.size(); ++k)
    if (llvm::Error error = takeZeros(k)) return error;
  return llvm::Error::success();
}

llvm::Error Attempt::bind(unsigned leaf, ListId list) {
  if (lists_.isFree(list) && lists_.length(list) == indices_.sizes[leaf]) list = lists_.whole(indices_.sizes[leaf]);
  std::optional<ListId> &known = leaves_[leaf];
  if (!known || lists_.fits(*known, list)) {
    known = list;
    return llvm::Error::success();
  }
  if (*known == list || lists_.fits(list, *known)) return llvm::Error::success();
  return refuse("operands that share an index hold " + lists_.text(*known) + " and " + lists_.text(list) + " of it");
}

llvm::Error Attempt::takeValue(unsigned k) {
  const GlobalOperand &wanted = node_.operands[k];
  const OperandRead &read = reads_[k];
  if (read.dtype != wanted.type.dtype || read.shape.size() != wanted.type.shape.size())
    return refuse("operand " + llvm::Twine(k) + " is of another dtype or rank than the operator's");
  if (!read.content) {
    for (auto [d, dim] : indexed(indices_.ins[k]))
      if (read.shape[d] == 0 && dim.kind == Dim::Kind::Leaf)
        if (llvm::Error error = bind(dim.leaves[0], lists_.whole(0))) return error;
    return llvm::Error::success();
  }
  if (wanted.kind != GlobalOperand::Kind::Value || read.content->isZero())
    return llvm::Error::success(); // below, once the lists are known
  const auto *own = read.content->as<Elements>();
  if (!own || !own->isOfMicroStep()) return refuse(textOf(k));
  const std::optional<ViewId> id = symbols_.values.viewIn(own->root, wanted.view);
  if (!id) return refuse(textOf(k) + ", not '" + escaped(symbols_.values.root(symbols_.rootOf(wanted)).name) + "'");
  views_[k] = *id;
  std::optional<Lists> held = inView(lists_, symbols_.values.view(*id), own->lists, read.shape);
  if (!held || lists_.lengths(*held) != read.shape)
    return refuse(textOf(k) + ", which is no such part of the operator's operand");
  return bindDims(k, *held);
}

llvm::Error Attempt::bindDims(unsigned k, llvm::ArrayRef<ListId> held) {
  for (auto [d, dim] : indexed(indices_.ins[k])) {
    Lists parts(dim.leaves.size(), 0);
    if (!listsOfLeaves(lists_, indices_, dim, held[d], parts))
      return refuse("operand " + llvm::Twine(k) + " holds " + lists_.text(held[d]) + " of dimension " + llvm::Twine(d) +
                    ", which is no product of its indices");
    if (dim.kind == Dim::Kind::Product && lists_.length(held[d]) == 0) continue;
    for (auto [i, leaf] : indexed(dim.leaves))
      if (llvm::Error error = bind(leaf, parts[i])) return error;
  }
  return llvm::Error::success();
}

/// If rows of a table are added to, or elements of rows, the result has those that begin at the call's offset.
llvm::Error Attempt::takeScatter() {
  if (indices_.scatter < 0) return llvm::Error::success();
  const auto dim = llvm::find_if(indices_.outs[0], [&](const Dim &own) {
    return own.kind == Dim::Kind::Leaf && own.leaves[0] == unsigned(indices_.scatter);
  });
  const int d = int(dim - indices_.outs[0].begin());
  if (call_.results_size() != 1 || d >= call_.results(0).shape_size()) return refuse("it has another result");
  const int64_t offset = integerOf(call_, "offset"), rows = call_.results(0).shape(d);
  if (offset < 0 || offset + rows > indices_.sizes[size_t(indices_.scatter)])
    return refuse("its rows are not the table's");
  return bind(unsigned(indices_.scatter), lists_.of({Interval{offset, offset + rows}}));
}

/// If 0 is read in place of a value, the graph has zeros there too, or it is nobody's addend.
llvm::Error Attempt::takeZeros(unsigned k) {
  const GlobalOperand &wanted = node_.operands[k];
  isGraphsZero_.push_back(false);
  if (wanted.kind != GlobalOperand::Kind::Value || !reads_[k].content || !reads_[k].content->isZero())
    return llvm::Error::success();
  Lists held;
  for (auto [d, dim] : indexed(indices_.ins[k])) {
    std::optional<ListId> list = isKnown(dim) ? listOfKnown(dim) : std::nullopt;
    if (!list || lists_.length(*list) != reads_[k].shape[d] || lists_.isFree(*list)) break;
    held.push_back(*list);
  }
  const bool isPlaceKnown = held.size() == indices_.ins[k].size();
  isGraphsZero_.back() = isPlaceKnown && symbols_.values.isZero(wanted.view, held);
  if (isGraphsZero_.back()) return llvm::Error::success();
  if (!isAdditive()) return refuse("operand " + llvm::Twine(k) + " is 0 throughout, and not in the graph");
  addsParts_ = true;
  return llvm::Error::success();
}

/// The call says which part of looked-up rows and of classes it has; what the operator needs whole is whole.
llvm::Error Attempt::checkParts() const {
  for (auto [leaf, list] : indexed(leaves_))
    if (indices_.isWhole[leaf] && list && !lists_.isWhole(*list, indices_.sizes[leaf]) && lists_.length(*list) > 0)
      return refuse("it holds " + lists_.text(*list) + " of an index that the operator needs whole");
  if (int leaf = std::max(indices_.lookup, indices_.scatter); leaf >= 0) {
    const int64_t rows = indices_.sizes[size_t(leaf)];
    if (!isFrom(leaf, integerOf(call_, "offset")) || integerOf(call_, "rows", rows) != rows)
      return refuse("its offset or number of rows is not that of its part of the table");
  }
  if (indices_.classes >= 0) {
    const int64_t all = indices_.sizes[size_t(indices_.classes)];
    if (!isFrom(indices_.classes, integerOf(call_, "class_offset")) || integerOf(call_, "classes", all) != all)
      return refuse("its class offset is not that of its part of the classes");
  }
  return llvm::Error::success();
}

bool Attempt::isFrom(int leaf, int64_t offset) const {
  const std::optional<ListId> &list = leaves_[size_t(leaf)];
  if (!list || lists_.length(*list) == 0) return true;
  return !lists_.isFree(*list) && lists_.intervals(*list).size() == 1 && lists_.first(*list) == offset;
}

/// A Partial sum passes through an operator that is linear in it; several are added if the operator adds.
llvm::Error Attempt::checkPartials() {
  for (unsigned k = 0; k < reads_.size(); ++k) {
    if (!reads_[k].content || !reads_[k].content->isPartial()) continue;
    if (reads_[k].content->as<Elements>()->partial == Partial::Max || !isLinear(node_, k))
      return refuse(textOf(k) + ", and the operator needs it reduced");
    if (isAdditive()) {
      addsParts_ = true;
      continue;
    }
    if (partial_ >= 0) return refuse(textOf(k) + ", and so is another operand");
    partial_ = int(k);
  }
  return llvm::Error::success();
}

/// Returns nothing if it does not follow which elements of a dimension the result has.
std::optional<ListId> Attempt::listOfResult(const Dim &dim, int64_t size, int64_t all) {
  if (llvm::all_of(dim.leaves, [&](unsigned leaf) { return bound_[leaf] != kUnbound; }))
    return listOfDim(lists_, indices_, dim, bound_);
  if (size == all || size == 0) return lists_.whole(size);
  const bool isRepeated = llvm::StringRef(node_.row->name) == "expand"; // it does not depend on its new indices
  return isRepeated ? std::optional(lists_.free(size)) : std::nullopt;
}

llvm::Expected<const Content *> Attempt::result(size_t j) {
  const plan::TensorRef &ref = call_.results(int(j));
  const Type &type = node_.resultTypes[j];
  if (ref.dtype() != uint32_t(type.dtype) || ref.shape_size() != int(type.shape.size()))
    return refuse("its result is of another dtype or rank than the operator's");
  Elements result{node_.results[j], {}};
  for (auto [d, dim] : indexed(indices_.outs[j])) {
    const int64_t size = ref.shape(int(d));
    std::optional<ListId> list = listOfResult(dim, size, type.shape[d]);
    if (!list || (lists_.length(*list) != size && size != 0))
      return refuse("dimension " + llvm::Twine(d) + " of its result has " + llvm::Twine(size) + " elements, not " +
                    (list ? lists_.text(*list) : std::string("what its operands give")));
    result.lists.push_back(size == 0 ? lists_.whole(0) : *list);
  }
  const uint64_t bytes = symbols_.bytesOf(result.lists, type.dtype);
  if (bytes == 0) return nullptr;
  if (llvm::Error error = addsParts_      ? addSummands(result)
                          : partial_ >= 0 ? passSummands(j, result)
                                          : sumSummands(j, result))
    return error;
  return symbols_.store.add({type.dtype, bytes, std::move(result)});
}

} // namespace autotp
