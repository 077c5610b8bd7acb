#include "passes/emit/plan_memory.h"

#include "compiler/ops/collectives.h"
#include "compiler/sharding/rank_program.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringMap.h"

namespace autotp {
namespace {

/// A node that may share bytes between its result 0 and its operands, as its row says.
class SharingNode {
public:
  SharingNode(const Graph &graph, NodeId id) : row_(opOf(graph.node(id))), own_(graph, graph.node(id)) {}
  /// Where the shared bytes begin; no value if they are copied.
  std::optional<uint64_t> at(unsigned operand) const { return row_.sharedAt ? row_.sharedAt(own_.call(), operand) : 0; }

private:
  const OpDef &row_;
  const NodeCall own_;
};

constexpr uint64_t kAlignment = 256;
uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// The buffers of one section. Values that share bytes lie in one buffer, each at its own offset.
class SectionMemory {
public:
  explicit SectionMemory(const Section &section) : section_(section), graph_(section.graph), order_(graph_.order()) {}

  struct Buffer {
    uint64_t bytes = 0;
    bool isChanged = false; ///< an operator works in place on it
    bool isFixed = false;   ///< a state, an input or a constant, which the caller places
    ValueId owner = kNone;
    unsigned first = ~0u, last = 0;
    uint64_t offset = 0;
    unsigned movedTo = ~0u; ///< the buffer into which this one is merged, at `movedBy` bytes
    uint64_t movedBy = 0;
  };
  struct Place {
    unsigned buffer = ~0u;
    uint64_t offset = 0;
  };

  void run(bool overlaps) {
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

  /// Gives each activation the lowest offset that no buffer with an overlapping lifetime has, the largest buffers
  /// first. `base` is where the region of activations begins; returns where it ends.
  uint64_t packActivations(uint64_t base) {
    std::vector<unsigned> order;
    for (auto [b, buffer] : indexed(buffers_))
      if (!buffer.isFixed && buffer.movedTo == ~0u && buffer.first != ~0u) order.push_back(unsigned(b));
    llvm::stable_sort(order, [&](unsigned a, unsigned b) { return buffers_[a].bytes > buffers_[b].bytes; });
    uint64_t end = base;
    std::vector<unsigned> placed; // sorted by offset
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

  Place placeOf(ValueId v) const {
    Place place = places_[v];
    if (place.buffer == ~0u) return place;
    while (buffers_[place.buffer].movedTo != ~0u)
      place = {buffers_[place.buffer].movedTo, place.offset + buffers_[place.buffer].movedBy};
    return place;
  }
  std::vector<Buffer> &buffers() { return buffers_; }

private:
  unsigned newBuffer(ValueId owner, bool isFixed) {
    Buffer buffer;
    buffer.bytes = graph_.type(owner).bytes();
    buffer.owner = owner;
    buffer.isFixed = isFixed;
    buffers_.push_back(buffer);
    return unsigned(buffers_.size() - 1);
  }

  /// Where the result begins in operand 0; no value if it must be a copy.
  std::optional<uint64_t> viewOffset(NodeId id) const {
    if (opOf(graph_.node(id)).sharing != Sharing::ResultInOperand) return std::nullopt;
    return SharingNode(graph_, id).at(0);
  }

  void placeResults(NodeId id) {
    const Node &node = graph_.node(id);
    const OpDef &row = opOf(node);
    for (auto [j, result] : indexed(node.results)) {
      if (section_.stateSlices.count(result) && (j >= 3 || row.inPlace[j] < 0)) {
        places_[result] = {newBuffer(result, true), 0};
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

  /// Computes each operand that has a buffer of its own at its place in the result of the concat, so that nothing is
  /// copied.
  void elide(NodeId id) {
    const Node &node = graph_.node(id);
    const SharingNode shares(graph_, id);
    for (auto [k, operand] : indexed(node.operands)) {
      const std::optional<uint64_t> at = shares.at(unsigned(k));
      if (!at) return;
      Place from = placeOf(operand), to = placeOf(node.results[0]);
      Buffer &buffer = buffers_[from.buffer];
      bool isOwn = !buffer.isFixed && from.offset == 0 && buffer.bytes == graph_.type(operand).bytes() &&
                   from.buffer != to.buffer;
      if (isOwn && !buffer.isChanged) {
        buffer.movedTo = to.buffer;
        buffer.movedBy = to.offset + *at;
      }
    }
  }

  /// Marks the buffers on which some operator works in place.
  void findChanged() {
    for (NodeId id : order_) {
      const Node &node = graph_.node(id);
      for (int8_t operand : opOf(node).inPlace)
        if (operand >= 0) buffers_[placeOf(node.operands[operand]).buffer].isChanged = true;
    }
  }

  void touch(ValueId v, unsigned at) {
    Place place = placeOf(v);
    if (place.buffer == ~0u) return;
    Buffer &buffer = buffers_[place.buffer];
    buffer.first = std::min(buffer.first, at);
    buffer.last = std::max(buffer.last, at);
  }

  void findLifetimes() {
    for (auto [i, id] : indexed(order_)) {
      for (ValueId operand : graph_.node(id).operands)
        touch(operand, unsigned(i));
      for (ValueId result : graph_.node(id).results)
        touch(result, unsigned(i));
    }
    for (const Output &output : graph_.outputs)
      touch(output.value, unsigned(order_.size()));
  }

  /// Keeps the operand of a reduction over dp or all ranks alive until the next such reduction, or to the end.
  void holdWhatIsReduced() {
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

  /// If an operator may overwrite its operand, and the operand is not used later, its result takes the operand's
  /// buffer.
  void reuseOperands() {
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

  const Section &section_;
  const Graph &graph_;
  std::vector<NodeId> order_;
  std::vector<Place> places_;
  std::vector<Buffer> buffers_;
};

/// Lays out the arena: states, inputs, constants, activations, workspace.
class Planner {
public:
  Planner(const RankProgram &program, const MemoryOptions &options) : program_(program), options_(options) {}

  MemoryPlan run() {
    for (const char *region : {"parameters", "gradients", "optimizer states"})
      placeStates(region);
    const auto sections = program_.sections();
    std::vector<SectionMemory> memories;
    for (const Section *section : sections)
      memories.emplace_back(*section).run(options_.device == DeviceKind::Cuda);
    for (ValueKind kind : {ValueKind::Input, ValueKind::Constant}) {
      begin();
      for (auto [section, memory] : llvm::zip(sections, memories))
        placeSources(*section, memory, kind);
      for (auto [section, memory] : llvm::zip(sections, memories))
        if (kind == ValueKind::Input) placeSources(*section, memory, ValueKind::State);
      end(kind == ValueKind::Input ? "inputs" : "constants");
    }
    begin();
    uint64_t activations = plan_.arenaBytes;
    for (SectionMemory &memory : memories)
      plan_.arenaBytes = std::max(plan_.arenaBytes, memory.packActivations(activations));
    end("activations");
    placeWorkspace();
    for (auto [section, memory] : llvm::zip(sections, memories))
      resolve(*section, memory, plan_.values.emplace_back());
    for (auto [section, values] : llvm::zip(sections, plan_.values))
      plan_.isInPlace.push_back(inPlaceOf(section->graph, values));
    return std::move(plan_);
  }

private:
  void begin() { regionBegin_ = plan_.arenaBytes; }
  void end(const char *name) { plan_.regions.push_back({name, regionBegin_, plan_.arenaBytes - regionBegin_}); }
  uint64_t take(uint64_t bytes) {
    uint64_t at = plan_.arenaBytes;
    plan_.arenaBytes += aligned(bytes);
    return at;
  }

  void placeStates(llvm::StringRef region) {
    begin();
    plan_.states.resize(program_.states.size());
    for (auto [i, state] : indexed(program_.states))
      if (state.region == region) plan_.states[i].offset = take(state.type.bytes());
    end(region.data());
  }

  void placeSources(const Section &section, SectionMemory &memory, ValueKind kind) {
    for (ValueId v : section.graph.sources(kind)) {
      const Value &value = section.graph.value(v);
      if (kind == ValueKind::Constant && value.uses.empty()) continue;
      // A value in a state slice lies there already; the runtime writes the others.
      if (kind == ValueKind::State && section.stateSlices.count(v)) continue;
      memory.buffers()[memory.placeOf(v).buffer].offset = placeSource(value);
    }
  }

  /// If two sections read an input, the runtime writes it once; and so a constant that one has from the other.
  uint64_t placeSource(const Value &value) {
    if (value.kind == ValueKind::State) return take(value.type.bytes());
    auto [at, isNew] = sources_.try_emplace(value.name, Source{});
    Source &source = at->second;
    const uint8_t *contents = value.contents ? value.contents->bytes.data() : nullptr;
    if (!isNew && source.contents != contents) return take(value.type.bytes()); // another one of the same name
    if (isNew) source = {take(value.type.bytes()), contents};
    return source.offset;
  }

  void placeWorkspace() {
    begin();
    for (const Section *section : program_.sections())
      for (NodeId id : section->graph.order()) {
        const Node &node = section->graph.node(id);
        if (opOf(node).kernel == KernelId::None) continue;
        llvm::SmallVector<TensorShape, 7> operands, results;
        auto add = [&](ValueId v, auto &list) {
          list.push_back({section->graph.type(v).dtype, section->graph.type(v).shape});
        };
        for (ValueId v : node.operands)
          add(v, operands);
        for (ValueId v : node.results)
          add(v, results);
        plan_.workspaceBytes = std::max(plan_.workspaceBytes, workspaceBytes(options_.device, opOf(node).kernel,
                                                                             {operands, results, options_.threads}));
      }
    plan_.workspaceOffset = take(plan_.workspaceBytes);
    end("workspace");
  }

  void resolve(const Section &section, SectionMemory &memory, std::vector<Address> &values) {
    values.resize(section.graph.numValues());
    for (ValueId v = 0; v < values.size(); ++v) {
      SectionMemory::Place place = memory.placeOf(v);
      if (place.buffer == ~0u) continue;
      const SectionMemory::Buffer &buffer = memory.buffers()[place.buffer];
      auto slice = section.stateSlices.find(buffer.owner);
      values[v] = {buffer.offset + place.offset, 0};
      if (!buffer.isFixed || slice == section.stateSlices.end()) continue;
      uint64_t size = sizeOf(section.graph.type(v).dtype);
      values[v] = {plan_.states[slice->second.state].offset + uint64_t(slice->second.element) * size + place.offset,
                   uint64_t(slice->second.dpStride) * size};
    }
  }

  static std::vector<bool> inPlaceOf(const Graph &graph, llvm::ArrayRef<Address> values) {
    std::vector<bool> all(graph.numNodes(), false);
    for (NodeId id : graph.order())
      all[id] = opOf(graph.node(id)).sharing != Sharing::None && isInPlace(graph, id, values);
    return all;
  }

  static bool isInPlace(const Graph &graph, NodeId id, llvm::ArrayRef<Address> values) {
    const Node &node = graph.node(id);
    if (opOf(node).isView()) return true;
    const SharingNode shares(graph, id);
    auto lies = [&](ValueId inner, ValueId outer, unsigned k) {
      const std::optional<uint64_t> at = shares.at(k);
      return at && values[inner] == Address{values[outer].offset + *at, values[outer].dpStride};
    };
    if (opOf(node).sharing == Sharing::ResultInOperand) return lies(node.results[0], node.operands[0], 0);
    return llvm::all_of(llvm::seq<unsigned>(0, unsigned(node.operands.size())),
                        [&](unsigned k) { return lies(node.operands[k], node.results[0], k); });
  }

  const RankProgram &program_;
  MemoryOptions options_;
  MemoryPlan plan_;
  uint64_t regionBegin_ = 0;
  struct Source {
    uint64_t offset = 0;
    const uint8_t *contents = nullptr; ///< of a constant
  };
  llvm::StringMap<Source> sources_; ///< inputs and constants, by name
};

} // namespace

MemoryPlan planMemory(const RankProgram &program, const MemoryOptions &options) {
  return Planner(program, options).run();
}

} // namespace autotp
