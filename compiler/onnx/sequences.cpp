// compiler/onnx/sequences.cpp: sequences are taken apart and joined during import. Optional values are present or not.
#include "compiler/onnx/formula.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

/// A position among `count` elements; if `mayBeEnd`, also the one past the last, where something is inserted.
llvm::Expected<size_t> positionOf(NodeImport &node, size_t k, size_t count, bool mayBeEnd) {
  auto given = node.constantIntegersOr(k, {mayBeEnd ? int64_t(count) : -1});
  if (!given) return given.takeError();
  if (given->size() != 1) return node.fail("it needs one position");
  const int64_t size = int64_t(count), at = (*given)[0] < 0 ? (*given)[0] + size : (*given)[0];
  if (at < 0 || at >= size + (mayBeEnd ? 1 : 0))
    return node.fail("its sequence of " + llvm::Twine(count) + " has no position " + llvm::Twine((*given)[0]));
  return size_t(at);
}

llvm::Error importSequenceConstruct(NodeImport &node) {
  if (llvm::is_contained(node.operands(), kNone)) return node.fail("one of its operands is missing");
  node.results.push_back(node.addSequence({node.operands().begin(), node.operands().end()}));
  return llvm::Error::success();
}

llvm::Error importSequenceAt(NodeImport &node) {
  auto elements = node.sequence(0);
  if (!elements) return elements.takeError();
  auto at = positionOf(node, 1, elements->size(), false);
  if (!at) return at.takeError();
  node.results.push_back((*elements)[*at]);
  return llvm::Error::success();
}

llvm::Error importSequenceInsert(NodeImport &node) {
  auto elements = node.sequence(0);
  if (!elements) return elements.takeError();
  auto at = positionOf(node, 2, elements->size(), true);
  if (!at) return at.takeError();
  Sequences::Elements longer(elements->begin(), elements->end());
  longer.insert(longer.begin() + *at, node[1]);
  node.results.push_back(node.addSequence(std::move(longer)));
  return llvm::Error::success();
}

llvm::Error importSequenceErase(NodeImport &node) {
  auto elements = node.sequence(0);
  if (!elements) return elements.takeError();
  auto at = positionOf(node, 1, elements->size(), false);
  if (!at) return at.takeError();
  Sequences::Elements shorter(elements->begin(), elements->end());
  shorter.erase(shorter.begin() + *at);
  node.results.push_back(node.addSequence(std::move(shorter)));
  return llvm::Error::success();
}

llvm::Error importSequenceLength(NodeImport &node) {
  auto elements = node.sequence(0);
  if (!elements) return elements.takeError();
  node.results.push_back(node.scalar(DType::I64, double(elements->size())));
  return llvm::Error::success();
}

llvm::Error importConcatFromSequence(NodeImport &node) {
  auto elements = node.sequence(0);
  if (!elements) return elements.takeError();
  if (elements->empty()) return node.fail("its sequence is empty");
  const bool isNew = node.integer("new_axis", 0);
  auto axis = node.axis(node.integer("axis", 0), node.graph().type((*elements)[0]).shape.size() + (isNew ? 1 : 0));
  if (!axis) return axis.takeError();
  Formula f(node);
  return f.finish(isNew ? stacked(f, *elements, *axis) : joined(f, *elements, *axis));
}

/// Splits into parts of one size, the last perhaps smaller, or of given sizes. Without a size, each part has one
/// element and may lose its dimension.
llvm::Error importSplitToSequence(NodeImport &node) {
  auto axis = node.axis(node.integer("axis", 0), node.type(0).shape.size());
  if (!axis) return axis.takeError();
  const int64_t size = node.type(0).shape[*axis];
  auto given = node.constantIntegersOr(1, {1});
  if (!given) return given.takeError();
  std::vector<int64_t> lengths = *given;
  if (!node.has(1) || node.type(1).shape.empty()) {
    const int64_t each = lengths[0];
    if (each < 1) return node.fail("its parts have " + llvm::Twine(each) + " elements");
    lengths.assign(size_t(size / each), each);
    if (size % each) lengths.push_back(size % each);
  }
  constexpr size_t kMostParts = 65536;
  if (lengths.size() > kMostParts) return node.fail("it has too many parts");
  const bool dropsAxis = !node.has(1) && !node.integer("keepdims", 1);
  Formula f(node);
  Sequences::Elements parts;
  int64_t at = 0;
  for (int64_t length : lengths) {
    if (length < 0 || length > size - at) return node.fail("its parts do not fit dimension " + llvm::Twine(*axis));
    ValueId part = f.slice(node[0], *axis, at, length);
    Shape shape = f.typeOf(part).shape;
    if (dropsAxis && !f.isBroken(part)) shape.erase(shape.begin() + *axis);
    parts.push_back(f.reshape(part, shape));
    at += length;
  }
  if (at != size) return node.fail("its parts leave out the end of dimension " + llvm::Twine(*axis));
  if (f.isBroken()) return f.takeError();
  node.results.push_back(node.addSequence(std::move(parts)));
  return llvm::Error::success();
}

llvm::Error importOptionalGetElement(NodeImport &node) {
  node.results.push_back(node[0]);
  return llvm::Error::success();
}

llvm::Error importOptionalHasElement(NodeImport &node) {
  node.results.push_back(node.scalar(DType::Bool, node.has(0)));
  return llvm::Error::success();
}

const ImportDef kImports[] = {
    {"", "ConcatFromSequence", 1, importConcatFromSequence, 1},
    {"", "Optional", 1, importOptionalGetElement, 1},
    {"", "OptionalGetElement", 1, importOptionalGetElement, 1},
    {"", "OptionalHasElement", 0, importOptionalHasElement, 1},
    {"", "SequenceAt", 2, importSequenceAt, 1, "positions must be known when compiling"},
    {"", "SequenceConstruct", 1, importSequenceConstruct},
    {"", "SequenceEmpty", 0, importSequenceConstruct},
    {"", "SequenceErase", 1, importSequenceErase, 1},
    {"", "SequenceInsert", 2, importSequenceInsert, 1},
    {"", "SequenceLength", 1, importSequenceLength, 1},
    {"", "SplitToSequence", 1, importSplitToSequence, 0, "its lengths must be known when compiling"},
};

} // namespace

ValueId joined(Formula &f, llvm::ArrayRef<ValueId> parts, int64_t axis) {
  return parts.size() == 1 ? parts[0] : f("concat", parts, {{"axis", axis}});
}

ValueId stacked(Formula &f, llvm::ArrayRef<ValueId> parts, int64_t axis) {
  llvm::SmallVector<ValueId, 8> apart;
  for (ValueId part : parts) {
    Shape shape = f.typeOf(part).shape;
    shape.insert(shape.begin() + std::min<size_t>(size_t(axis), shape.size()), 1);
    apart.push_back(f.reshape(part, shape));
  }
  return joined(f, apart, axis);
}

llvm::ArrayRef<ImportDef> sequenceImports() { return kImports; }

} // namespace autotp
