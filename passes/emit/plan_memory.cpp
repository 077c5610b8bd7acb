#include "passes/emit/plan_memory.h"

#include "passes/emit/section_memory.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringMap.h"

namespace autotp {
namespace {

/// Lays out the arena: states, inputs, constants, activations, workspace.
class Planner {
public:
  Planner(const RankProgram &program, const MemoryOptions &options) : program_(program), options_(options) {}

  MemoryPlan run() {
    for (const char *region : {"parameters", "gradients", "optimizer states", "sums"})
      placeStates(region);
    const auto sections = program_.sections();
    std::vector<SectionMemory> memories;
    for (const Section *section : sections)
      memories.emplace_back(*section, statesPlacedBy(*section)).run(options_.device == DeviceKind::Cuda);
    for (ValueKind kind : {ValueKind::Input, ValueKind::Constant}) {
      begin();
      for (auto [section, memory] : llvm::zip(sections, memories))
        placeSources(*section, memory, kind);
      for (auto [section, memory] : llvm::zip(sections, memories))
        if (kind == ValueKind::Input) placeSources(*section, memory, ValueKind::State);
      end(kind == ValueKind::Input ? "inputs" : "constants");
    }
    packActivations(sections, memories);
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
      if (state.region == region && !state.isWithinStep) plan_.states[i].offset = take(state.type.bytes());
    end(region.data());
  }

  llvm::BitVector statesPlacedBy(const Section &section) const {
    llvm::BitVector placed(unsigned(program_.states.size()));
    if (&section == &program_.microStep)
      for (auto [i, state] : indexed(program_.states))
        placed[unsigned(i)] = state.isWithinStep;
    return placed;
  }

  /// Gradients that are not accumulated lie among the activations of micro_step: the backward makes room for them as it
  /// goes. optimizer_step, which reads them, leaves them alone.
  void packActivations(llvm::ArrayRef<const Section *> sections, std::vector<SectionMemory> &memories) {
    begin();
    const uint64_t base = plan_.arenaBytes;
    llvm::SmallVector<Bytes, 8> gradients;
    for (auto [section, memory] : llvm::zip(sections, memories)) { // micro_step comes before optimizer_step
      const bool reads = section == &program_.optimizerStep;
      plan_.arenaBytes = std::max(plan_.arenaBytes,
                                  memory.packActivations(base, reads ? llvm::ArrayRef<Bytes>(gradients) : llvm::None));
      for (const auto &[state, bytes] : memory.placedStates()) {
        plan_.states[state].offset = bytes.offset;
        gradients.push_back(bytes);
      }
    }
    end(gradients.empty() ? "activations" : "gradients and activations");
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
