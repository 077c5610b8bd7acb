#include "passes/emit/section_memory.h"

#include "compiler/ops/collectives.h"
#include "runtime/base/indexed.h"

namespace autotp {

void SectionMemory::run(bool overlaps) {
  places_.resize(graph_.numValues());
  for (ValueId v = 0; v < graph_.numValues(); ++v)
    if (graph_.value(v).producer == kNone) places_[v] = {newBuffer(v, true), 0};
  for (NodeId id : order_)
    placeResults(id);
  findChanged();
  for (NodeId id : order_)
    if (opOf(graph_.node(id)).sharing == Sharing::OperandsInResult) elide(id);
  findLifetimes();
  if (overlaps) holdWhatIsReduced();
  reuseOperands();
}

uint64_t SectionMemory::packActivations(uint64_t base, llvm::ArrayRef<Bytes> taken) {
  std::vector<unsigned> order;
  for (auto [b, buffer] : indexed(buffers_))
    if (!buffer.isFixed && buffer.movedTo == ~0u && buffer.first != ~0u) order.push_back(unsigned(b));
  llvm::stable_sort(order, [&](unsigned a, unsigned b) { return buffers_[a].bytes > buffers_[b].bytes; });
  uint64_t end = base;
  std::vector<unsigned> placed; // sorted by offset
  for (const Bytes &bytes : taken) {
    placed.push_back(unsigned(buffers_.size()));
    buffers_.push_back({.bytes = bytes.count, .isFixed = true, .first = 0, .last = ~0u, .offset = bytes.offset});
  }
  for (unsigned b : order) {
    Buffer &buffer = buffers_[b];
    uint64_t at = base;
    for (unsigned other : placed) {
      const Buffer &o = buffers_[other];
      if (o.last < buffer.first || buffer.last < o.first) continue;
      if (at + aligned(buffer.bytes) <= o.offset) break;
      at = std::max(at, o.offset + aligned(o.bytes));
    }
    buffer.offset = at;
    placed.insert(
        llvm::upper_bound(placed, b, [&](unsigned x, unsigned y) { return buffers_[x].offset < buffers_[y].offset; }),
        b);
    end = std::max(end, at + aligned(buffer.bytes));
  }
  return end;
}

SectionMemory::Place SectionMemory::placeOf(ValueId v) const {
  Place place = places_[v];
  if (place.buffer == ~0u) return place;
  while (buffers_[place.buffer].movedTo != ~0u)
    place = {buffers_[place.buffer].movedTo, place.offset + buffers_[place.buffer].movedBy};
  return place;
}

llvm::SmallVector<std::pair<unsigned, Bytes>, 8> SectionMemory::placedStates() const {
  llvm::SmallVector<std::pair<unsigned, Bytes>, 8> states;
  for (const auto &[value, slice] : section_.stateSlices) {
    if (!placedStates_[slice.state]) continue;
    const Place place = placeOf(value);
    states.push_back({slice.state, {buffers_[place.buffer].offset + place.offset, graph_.type(value).bytes()}});
  }
  llvm::sort(states, [](const auto &a, const auto &b) { return a.second.offset < b.second.offset; });
  return states;
}

unsigned SectionMemory::newBuffer(ValueId owner, bool isFixed) {
  Buffer buffer;
  buffer.bytes = graph_.type(owner).bytes();
  buffer.owner = owner;
  buffer.isFixed = isFixed;
  buffers_.push_back(buffer);
  return unsigned(buffers_.size() - 1);
}

std::optional<uint64_t> SectionMemory::viewOffset(NodeId id) const {
  if (opOf(graph_.node(id)).sharing != Sharing::ResultInOperand) return std::nullopt;
  return SharingNode(graph_, id).at(0);
}

void SectionMemory::placeResults(NodeId id) {
  const Node &node = graph_.node(id);
  const OpDef &row = opOf(node);
  for (auto [j, result] : indexed(node.results)) {
    auto slice = section_.stateSlices.find(result);
    if (slice != section_.stateSlices.end() && (j >= 3 || row.inPlace[j] < 0)) {
      places_[result] = {newBuffer(result, !placedStates_[slice->second.state]), 0};
    } else if (j < 3 && row.inPlace[j] >= 0) {
      places_[result] = places_[node.operands[row.inPlace[j]]];
    } else if (auto offset = viewOffset(id); offset && j == 0) {
      Place from = places_[node.operands[0]];
      places_[result] = {from.buffer, from.offset + *offset};
    } else {
      places_[result] = {newBuffer(result, false), 0};
    }
  }
}

void SectionMemory::elide(NodeId id) {
  const Node &node = graph_.node(id);
  const SharingNode shares(graph_, id);
  for (auto [k, operand] : indexed(node.operands)) {
    const std::optional<uint64_t> at = shares.at(unsigned(k));
    if (!at) return;
    Place from = placeOf(operand), to = placeOf(node.results[0]);
    Buffer &buffer = buffers_[from.buffer];
    bool isOwn =
        !buffer.isFixed && from.offset == 0 && buffer.bytes == graph_.type(operand).bytes() && from.buffer != to.buffer;
    if (isOwn && !buffer.isChanged) {
      buffer.movedTo = to.buffer;
      buffer.movedBy = to.offset + *at;
    }
  }
}

void SectionMemory::findChanged() {
  for (NodeId id : order_) {
    const Node &node = graph_.node(id);
    for (int8_t operand : opOf(node).inPlace)
      if (operand >= 0) buffers_[placeOf(node.operands[operand]).buffer].isChanged = true;
  }
}

void SectionMemory::touch(ValueId v, unsigned at) {
  Place place = placeOf(v);
  if (place.buffer == ~0u) return;
  Buffer &buffer = buffers_[place.buffer];
  buffer.first = std::min(buffer.first, at);
  buffer.last = std::max(buffer.last, at);
}

void SectionMemory::findLifetimes() {
  for (auto [i, id] : indexed(order_)) {
    for (ValueId operand : graph_.node(id).operands)
      touch(operand, unsigned(i));
    for (ValueId result : graph_.node(id).results)
      touch(result, unsigned(i));
  }
  for (const Output &output : graph_.outputs)
    touch(output.value, unsigned(order_.size()));
}

void SectionMemory::holdWhatIsReduced() {
  ValueId held = kNone;
  for (const auto &[at, id] : indexed(order_)) {
    const Node &node = graph_.node(id);
    if (!opOf(node).isCollective || meshAxisOf(node) == plan::TP) continue;
    if (buffers_[placeOf(node.operands[0]).buffer].isFixed) continue; // states live anyway
    if (held != kNone) touch(held, unsigned(at));
    held = node.operands[0];
  }
  if (held != kNone) touch(held, unsigned(order_.size()));
}

void SectionMemory::reuseOperands() {
  for (auto [i, id] : indexed(order_)) {
    const Node &node = graph_.node(id);
    if (!opOf(node).mayReuse) continue;
    Place from = placeOf(node.operands[0]), to = placeOf(node.results[0]);
    Buffer &operand = buffers_[from.buffer], &result = buffers_[to.buffer];
    bool dies = operand.last == i && !operand.isFixed && !result.isFixed && from.buffer != to.buffer;
    bool fits = from.offset == 0 && to.offset == 0 && operand.bytes == result.bytes &&
                graph_.type(node.operands[0]).bytes() == operand.bytes &&
                graph_.type(node.results[0]) == graph_.type(node.operands[0]);
    bool isOnly = llvm::count_if(node.operands, [&](ValueId v) { return placeOf(v).buffer == from.buffer; }) == 1;
    if (!dies || !fits || !isOnly) continue;
    operand.last = result.last;
    result.movedTo = from.buffer;
    result.movedBy = 0;
  }
}

} // namespace autotp
