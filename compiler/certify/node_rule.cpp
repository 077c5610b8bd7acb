#include "compiler/certify/node_rule.h"

#include "runtime/base/error.h"
#include "runtime/base/indexed.h"


namespace autotp {

bool isLinear(const GlobalNode &node, unsigned k) {
  if (isFloat(node.operands[k].type.dtype) && !isFloat(node.resultTypes[0].dtype)) return false; // it rounds
  switch (node.row->linearity) {
  case Linearity::None:
    return false;
  case Linearity::Each:
  case Linearity::Together:
    return true;
  case Linearity::First:
    return k == 0;
  case Linearity::Last:
    return k == (node.row->gradientOperand < 0 ? node.operands.size() - 1 : unsigned(node.row->gradientOperand));
  }
  return false;
}

namespace {

using Dim = OperatorIndices::Dim;

/// Attributes that say which part is local. They are checked against the lists instead.
bool saysWhichPart(llvm::StringRef name) {
  return name == "offset" || name == "rows" || name == "class_offset" || name == "classes" || name == "length";
}

const plan::Attribute *attributeOf(const plan::KernelCall &call, llvm::StringRef name) {
  for (const plan::Attribute &attribute : call.attributes())
    if (attribute.name() == name) return &attribute;
  return nullptr;
}
int64_t integerOf(const plan::KernelCall &call, llvm::StringRef name, int64_t otherwise = 0) {
  const plan::Attribute *attribute = attributeOf(call, name);
  return attribute && attribute->value_case() == plan::Attribute::kInteger ? attribute->integer() : otherwise;
}

bool isEqual(const Attributes::Value &wanted, const plan::Attribute &given) {
  if (const auto *integer = std::get_if<int64_t>(&wanted))
    return given.value_case() == plan::Attribute::kInteger && given.integer() == *integer;
  if (const auto *real = std::get_if<double>(&wanted))
    return given.value_case() == plan::Attribute::kReal && given.real() == *real;
  if (const auto *list = std::get_if<llvm::SmallVector<int64_t, 6>>(&wanted))
    return given.has_integers() && llvm::equal(given.integers().values(), *list);
  return true; // texts are not for kernels
}

bool attributesAgree(const plan::KernelCall &call, const Attributes &attributes, std::string &why) {
  int known = 0;
  for (const auto &[name, value] : attributes.all()) {
    if (saysWhichPart(name) || std::holds_alternative<std::string>(value)) continue;
    const plan::Attribute *given = attributeOf(call, name);
    ++known;
    if (given && isEqual(value, *given)) continue;
    why = "its attribute '" + escaped(name) + "' is not the operator's";
    return false;
  }
  for (const plan::Attribute &given : call.attributes()) {
    known -= !saysWhichPart(given.name());
    if (!saysWhichPart(given.name()) || given.value_case() == plan::Attribute::kInteger) continue;
    why = "its attribute '" + escaped(given.name()) + "' is no integer";
    return false;
  }
  if (known != 0) why = "it has attributes that the operator has not";
  return known == 0;
}

} // namespace

struct NodeRule::Attempt {
  NodeRule &rule;
  const plan::KernelCall &call;
  llvm::ArrayRef<OperandRead> reads;
  unsigned id;
  std::string &why;
  const GlobalNode &node;
  const OperatorIndices &indices;
  IndexLists &lists;
  std::vector<std::optional<ListId>> leaves;
  Lists bound;  ///< `leaves`, once all are known
  int pending = -1; ///< the operand whose sum is pending, of an operator that does not add
  bool addsParts = false;

  Attempt(NodeRule &r, const plan::KernelCall &c, llvm::ArrayRef<OperandRead> o, unsigned n, std::string &w)
      : rule(r), call(c), reads(o), id(n), why(w), node(r.values_.node(n)), indices(*node.indices), lists(r.lists_),
        leaves(indices.sizes.size()) {}

  bool fail(const llvm::Twine &text) {
    why = text.str();
    return false;
  }
  bool isAdditive() const { return node.row->linearity == Linearity::Together; }
  std::string operandText(unsigned k) const { return "operand " + std::to_string(k); }

  bool run(std::vector<const Content *> &results) {
    if (node.operands.size() != reads.size() || indices.isUnknown) return fail("it has another number of operands");
    if (!attributesAgree(call, *node.attributes, why)) return false;
    for (unsigned k = 0; k < reads.size(); ++k)
      if (!takeOperand(k)) return false;
    if (!takeScatter() || !takeConstants() || !checkParts() || !checkPending()) return false;
    for (auto [leaf, list] : indexed(leaves))
      bound.push_back(list ? *list : ~0u);
    for (size_t j = 0; j < node.results.size(); ++j) {
      const Content *made = nullptr;
      if (!makeResult(j, made)) return false;
      results.push_back(made);
    }
    return true;
  }

  bool bind(unsigned leaf, ListId list) {
    if (lists.isFree(list) && lists.length(list) == indices.sizes[leaf]) list = lists.whole(indices.sizes[leaf]);
    std::optional<ListId> &known = leaves[leaf];
    if (!known || lists.fits(*known, list)) {
      known = list;
      return true;
    }
    if (*known == list || lists.fits(list, *known)) return true;
    return fail("operands that share an index hold " + lists.text(*known) + " and " + lists.text(list) + " of it");
  }

  bool takeOperand(unsigned k) {
    const GlobalOperand &wanted = node.operands[k];
    const OperandRead &read = reads[k];
    if (read.dtype != wanted.type.dtype || read.shape.size() != wanted.type.shape.size())
      return fail(operandText(k) + " is of another dtype or rank than the operator's");
    if (!read.content) {
      for (auto [d, dim] : indexed(indices.ins[k]))
        if (read.shape[d] == 0 && dim.kind == Dim::Kind::Leaf && !bind(dim.leaves[0], lists.whole(0))) return false;
      return true;
    }
    if (wanted.kind != GlobalOperand::Kind::Value) return true; // below, once the lists are known
    if (isAdditive() && read.content->isZero()) return addsParts = true;
    if (!read.content->isMicroValue()) return fail(operandText(k) + " is " + text(*read.content));
    const View &view = rule.values_.view(wanted.view);
    if (view.root != read.content->root)
      return fail(operandText(k) + " is " + text(*read.content) + ", not '" +
                  escaped(rule.values_.root(view.root).name) + "'");
    std::optional<Lists> held = rule.moves_.inView(view, read.content->lists, read.shape);
    if (!held || lists.lengths(*held) != read.shape)
      return fail(operandText(k) + " is " + text(*read.content) + ", which is no such part of the operator's operand");
    return bindDims(k, *held, leaves);
  }

  bool bindDims(unsigned k, llvm::ArrayRef<ListId> held, std::vector<std::optional<ListId>> &) {
    for (auto [d, dim] : indexed(indices.ins[k])) {
      Lists parts(dim.leaves.size(), 0);
      if (!listsOfLeaves(lists, indices, dim, held[d], parts))
        return fail(operandText(k) + " holds " + lists.text(held[d]) + " of dimension " + llvm::Twine(d) +
                    ", which is no product of its indices");
      if (dim.kind == Dim::Kind::Product && lists.length(held[d]) == 0) continue;
      for (auto [i, leaf] : indexed(dim.leaves))
        if (!bind(leaf, parts[i])) return false;
    }
    return true;
  }

  std::string text(const Content &content) const { return describe(content, rule.values_, lists); }

  /// Rows of a table that is added to: the result's, from where the step says.
  bool takeScatter() {
    if (indices.scatter < 0) return true;
    if (call.results_size() != 1 || call.results(0).shape_size() < 1) return fail("it has another result");
    const int64_t offset = integerOf(call, "offset"), rows = call.results(0).shape(0);
    if (offset < 0 || offset + rows > indices.sizes[size_t(indices.scatter)])
      return fail("its rows are not the table's");
    return bind(unsigned(indices.scatter), lists.of({Interval{offset, offset + rows}}));
  }

  bool takeConstants() {
    for (unsigned k = 0; k < reads.size(); ++k) {
      const GlobalOperand &wanted = node.operands[k];
      if (wanted.kind == GlobalOperand::Kind::Value || !reads[k].content) continue;
      const Content &content = *reads[k].content;
      if (content.kind != Content::Kind::Constant || content.isAccumulated || content.isSummedOverDp)
        return fail(operandText(k) + " is " + text(content) + ", not a constant of the graph");
      Lists held;
      for (auto [d, dim] : indexed(indices.ins[k])) {
        std::optional<ListId> list;
        const int64_t size = reads[k].shape[d];
        const bool isKnown = llvm::all_of(dim.leaves, [&](unsigned leaf) { return leaves[leaf].has_value(); });
        if (isKnown) {
          Lists own;
          for (const auto &leaf : leaves)
            own.push_back(leaf.value_or(0));
          list = listOfDim(lists, indices, dim, own);
        } else if (size == wanted.type.shape[d]) {
          list = lists.whole(size);
        } else if (wanted.kind == GlobalOperand::Kind::Fill) {
          list = lists.free(size);
        }
        if (!list || lists.length(*list) != size)
          return fail(operandText(k) + ", a constant, is not the part that the others need");
        held.push_back(*list);
      }
      if (!bindDims(k, held, leaves)) return false;
      if (!rule.moves_.isPartOf(content, wanted, held)) return fail(operandText(k) + " is another constant than the graph's");
    }
    return true;
  }

  /// Which part of looked-up rows and of classes the step says it has, and what must be whole.
  bool checkParts() {
    for (auto [leaf, list] : indexed(leaves))
      if (indices.isWhole[leaf] && list && !lists.isWhole(*list, indices.sizes[leaf]) && lists.length(*list) > 0)
        return fail("it holds " + lists.text(*list) + " of an index that the operator needs whole");
    if (int leaf = std::max(indices.lookup, indices.scatter); leaf >= 0) {
      const int64_t rows = indices.sizes[size_t(leaf)];
      if (!isFrom(leaf, integerOf(call, "offset")) || integerOf(call, "rows", rows) != rows)
        return fail("its offset or number of rows is not that of its part of the table");
    }
    if (indices.classes >= 0) {
      const int64_t all = indices.sizes[size_t(indices.classes)];
      if (!isFrom(indices.classes, integerOf(call, "class_offset")) || integerOf(call, "classes", all) != all)
        return fail("its class offset is not that of its part of the classes");
    }
    return true;
  }
  bool isFrom(int leaf, int64_t offset) {
    const std::optional<ListId> &list = leaves[size_t(leaf)];
    if (!list || lists.length(*list) == 0) return true;
    return !lists.isFree(*list) && lists.intervals(*list).size() == 1 && lists.first(*list) == offset;
  }

  bool checkPending() {
    for (unsigned k = 0; k < reads.size(); ++k) {
      if (!reads[k].content || reads[k].content->pending == Pending::None) continue;
      const std::string what = operandText(k) + " is " + text(*reads[k].content);
      if (reads[k].content->pending == Pending::Max || !isLinear(node, k))
        return fail(what + ", and the operator needs it reduced");
      if (isAdditive()) {
        addsParts = true;
        continue;
      }
      if (pending >= 0) return fail(what + ", and so is another operand");
      pending = int(k);
    }
    return true;
  }

  bool makeResult(size_t j, const Content *&made) {
    const plan::TensorRef &result = call.results(int(j));
    const Type &type = node.resultTypes[j];
    if (result.dtype() != uint32_t(type.dtype) || result.shape_size() != int(type.shape.size()))
      return fail("its result is of another dtype or rank than the operator's");
    Content content;
    content.dtype = type.dtype;
    content.root = node.results[j];
    for (auto [d, dim] : indexed(indices.outs[j])) {
      const int64_t size = result.shape(int(d)), all = type.shape[d];
      std::optional<ListId> list;
      if (llvm::all_of(dim.leaves, [&](unsigned leaf) { return bound[leaf] != ~0u; }))
        list = listOfDim(lists, indices, dim, bound);
      else
        list = size == all ? lists.whole(all) : lists.free(size);
      if (!list || (lists.length(*list) != size && size != 0))
        return fail("dimension " + llvm::Twine(d) + " of its result has " + llvm::Twine(size) + " elements, not " +
                    (list ? lists.text(*list) : std::string("what its operands give")));
      content.lists.push_back(size == 0 ? lists.whole(0) : *list);
    }
    content.bytes = uint64_t(lists.elements(content.lists)) * sizeOf(content.dtype);
    if (content.bytes == 0) return true;
    if (!(addsParts ? addParts(content) : pending >= 0 ? passParts(j, content) : sumParts(j, content))) return false;
    made = rule.store_.add(std::move(content));
    return true;
  }

  /// No operand is pending: a sum is, where not all that is summed is here.
  bool sumParts(size_t j, Content &content) {
    llvm::SmallVector<unsigned, 4> summed(indices.contracted[j].begin(), indices.contracted[j].end());
    if (indices.lookup >= 0) summed.push_back(unsigned(indices.lookup));
    Part part{rule.contributions_.extended(kWholePath, id, Contributions::kContraction), content.lists, {},
              Lists(content.lists.size(), kWholeSpan), {}};
    bool isAll = true;
    for (unsigned leaf : summed) {
      if (bound[leaf] == ~0u || lists.isFree(bound[leaf])) return fail("what it sums over does not follow");
      part.points.push_back(bound[leaf]);
      part.pointSpans.push_back(lists.whole(indices.sizes[leaf]));
      isAll &= part.points.back() == part.pointSpans.back();
    }
    if (isAll) return true;
    content.pending = indices.isMaximum ? Pending::Max : Pending::Sum;
    content.parts.push_back(std::move(part));
    return true;
  }

  /// A pending operand passes through: each of its parts, with what this operator sums.
  bool passParts(size_t j, Content &content) {
    const View &view = rule.values_.view(node.operands[size_t(pending)].view);
    llvm::SmallVector<unsigned, 4> summed(indices.contracted[j].begin(), indices.contracted[j].end());
    if (indices.lookup >= 0) summed.push_back(unsigned(indices.lookup));
    content.pending = Pending::Sum;
    for (const Part &part : reads[size_t(pending)].content->parts) {
      std::optional<Lists> elements = rule.moves_.inView(view, part.elements, {}),
                           spans = rule.moves_.spansInView(view, part.elementSpans);
      Lists own = bound, ownSpans(bound.size(), kWholeSpan);
      if (!elements || !spans || !overlay(*elements, own) || !overlay(*spans, ownSpans))
        return fail("which part of a pending sum passes through does not follow");
      Part passed{rule.contributions_.extended(part.path, id, unsigned(pending)), {}, part.points, {}, part.pointSpans};
      for (unsigned leaf : summed) {
        if (own[leaf] == ~0u || lists.isFree(own[leaf])) return fail("what it sums over does not follow");
        passed.points.push_back(own[leaf]);
        passed.pointSpans.push_back(ownSpans[leaf] == kWholeSpan ? lists.whole(indices.sizes[leaf]) : ownSpans[leaf]);
      }
      if (!placeElements(j, content, own, ownSpans, passed))
        return fail("which part of a pending sum passes through does not follow");
      content.parts.push_back(std::move(passed));
    }
    return true;
  }

  /// Lists of a pending operand's dimensions over those of the leaves.
  bool overlay(llvm::ArrayRef<ListId> held, Lists &own) {
    for (auto [d, dim] : indexed(indices.ins[size_t(pending)])) {
      if (held[d] == kWholeSpan) continue;
      Lists parts(dim.leaves.size(), 0);
      if (!listsOfLeaves(lists, indices, dim, held[d], parts)) return false;
      for (auto [i, leaf] : indexed(dim.leaves))
        own[leaf] = parts[i];
    }
    return true;
  }

  bool placeElements(size_t j, const Content &content, llvm::ArrayRef<ListId> own, llvm::ArrayRef<ListId> spans,
                     Part &part) {
    for (auto [d, dim] : indexed(indices.outs[j])) {
      std::optional<ListId> list = content.lists[d], span = kWholeSpan;
      if (llvm::all_of(dim.leaves, [&](unsigned leaf) { return own[leaf] != ~0u; }))
        list = listOfDim(lists, indices, dim, own);
      if (llvm::any_of(dim.leaves, [&](unsigned leaf) { return spans[leaf] != kWholeSpan; })) {
        Lists all;
        for (auto [leaf, size] : indexed(indices.sizes))
          all.push_back(spans[leaf] == kWholeSpan ? lists.whole(size) : spans[leaf]);
        span = listOfDim(lists, indices, dim, all);
      }
      if (!list || !span) return false;
      part.elements.push_back(*list);
      part.elementSpans.push_back(*span);
    }
    return true;
  }

  /// Each addend is a part of its own.
  bool addParts(Content &content) {
    content.pending = Pending::Sum;
    for (unsigned k = 0; k < reads.size(); ++k) {
      const GlobalOperand &operand = node.operands[k];
      if (operand.kind == GlobalOperand::Kind::Fill && operand.fill == 0) continue;
      Part here{rule.contributions_.extended(kWholePath, id, k), content.lists, {},
                Lists(content.lists.size(), kWholeSpan), {}};
      if (indices.cutDim >= 0 && !cutToSegment(k, content, here)) return false;
      const Content *added = reads[k].content;
      if (!added || added->isZero()) {
        if (operand.kind == GlobalOperand::Kind::Value) here.elements.assign(content.lists.size(), lists.whole(0));
        content.parts.push_back(std::move(here));
      } else if (added->pending == Pending::None) {
        content.parts.push_back(std::move(here));
      } else if (!addPending(k, *added, content)) {
        return fail("which part of a pending sum is added does not follow");
      }
    }
    return true;
  }

  bool addPending(unsigned k, const Content &added, Content &content) {
    const View &view = rule.values_.view(node.operands[k].view);
    for (const Part &part : added.parts) {
      std::optional<Lists> elements = rule.moves_.inView(view, part.elements, {}),
                           spans = rule.moves_.spansInView(view, part.elementSpans);
      pending = int(k);
      Lists own = bound, ownSpans(bound.size(), kWholeSpan);
      const bool follows = elements && spans && overlay(*elements, own) && overlay(*spans, ownSpans);
      pending = -1;
      if (!follows) return false;
      Part next{rule.contributions_.extended(part.path, id, k), {}, part.points, {}, part.pointSpans};
      clearOtherSegments(k, own, ownSpans);
      if (!placeElements(0, content, own, ownSpans, next)) return false;
      content.parts.push_back(std::move(next));
    }
    return true;
  }

  /// The leaf of operand `k` in the dimension that a concat joins.
  std::optional<unsigned> segmentOf(unsigned k) const {
    if (indices.cutDim < 0) return std::nullopt;
    const Dim &dim = indices.ins[k][size_t(indices.cutDim)];
    return dim.kind == Dim::Kind::Leaf ? std::optional<unsigned>(dim.leaves[0]) : std::nullopt;
  }

  void clearOtherSegments(unsigned k, Lists &own, Lists &spans) {
    std::optional<unsigned> segment = segmentOf(k);
    if (!segment) return;
    for (unsigned leaf : indices.outs[0][size_t(indices.cutDim)].leaves) {
      if (leaf != *segment) own[leaf] = lists.whole(0);
      if (leaf != *segment)
        spans[leaf] = lists.whole(0);
      else if (spans[leaf] == kWholeSpan)
        spans[leaf] = lists.whole(indices.sizes[leaf]);
    }
  }

  bool cutToSegment(unsigned k, const Content &content, Part &part) {
    if (!segmentOf(k)) return indices.outs[0][size_t(indices.cutDim)].kind != Dim::Kind::Concat;
    Lists own = bound, spans(bound.size(), kWholeSpan);
    clearOtherSegments(k, own, spans);
    part.elements.clear();
    part.elementSpans.clear();
    return placeElements(0, content, own, spans, part) ||
           fail("which segment of the result it is does not follow");
  }
};

std::vector<const Content *> NodeRule::prove(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads,
                                             std::string &why) {
  const KernelId kernel = KernelId(call.kernel());
  llvm::ArrayRef<unsigned> candidates;
  const Content *known = nullptr;
  for (unsigned k = 0; k < reads.size() && !known; ++k)
    if (reads[k].content && reads[k].content->kind == Content::Kind::Value) {
      known = reads[k].content;
      candidates = values_.readers(kernel, k, known->root);
    }
  if (!known) candidates = values_.readersOfConstants(kernel);
  if (candidates.empty())
    why = known ? "no operator of the graph does this with " + describe(*known, values_, lists_)
                : "no operator of the graph does this with constants";
  for (unsigned node : candidates) {
    std::vector<const Content *> results;
    std::string reason;
    if (call.results_size() == int(values_.node(node).results.size()) &&
        Attempt(*this, call, reads, node, reason).run(results))
      return results;
    if (why.empty()) why = reason;
  }
  return {};
}

} // namespace autotp
