#include "passes/emit/emit_program.h"

#include "compiler/ops/collectives.h"
#include "compiler/sharding/rank_program.h"
#include "passes/emit/initial_numbers.h"
#include "passes/emit/plan_memory.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/manifest.h"

#include <map>
#include <set>

namespace autotp {
namespace {

class Emitter {
public:
  Emitter(const Graph &global, const RankProgram &program, const MemoryPlan &memory)
      : global_(global), program_(program), memory_(memory) {}

  plan::Program run() {
    out_.set_format_version(uint32_t(kPlanFormatVersion));
    out_.set_arena_bytes(memory_.arenaBytes);
    for (const MemoryRegion &region : memory_.regions) {
      plan::Region &to = *out_.add_regions();
      to.set_name(region.name);
      to.set_offset(region.offset);
      to.set_bytes(region.bytes);
    }
    for (const LocalConstant &part : program_.constants)
      covers_[ofMicroStep()[part.local].offset] = part.covers;
    for (auto [i, section] : indexed(program_.sections()))
      emitSection(*section, memory_.values[i], memory_.isInPlace[i]);
    emitParameters();
    for (auto [i, state] : indexed(program_.states))
      if (!state.initial.empty()) {
        plan::State &to = *out_.add_states();
        to.set_name(state.name);
        *to.mutable_tensor() = tensor(state.type, memory_.states[i]);
        to.set_data(state.initial.data(), state.initial.size());
      }
    for (auto [i, state] : indexed(program_.states))
      if (state.isZeroedEachStep) *out_.add_zeroed_each_step() = tensor(state.type, memory_.states[i]);
    return std::move(out_);
  }

private:
  /// The addresses of the micro-step's values.
  const std::vector<Address> &ofMicroStep() const { return memory_.values[program_.batchStatistics ? 1 : 0]; }

  static plan::TensorRef tensor(const Type &type, Address address) {
    plan::TensorRef ref;
    ref.set_offset(address.offset);
    ref.set_dp_stride(address.dpStride);
    ref.set_dtype(uint32_t(type.dtype));
    for (int64_t d : type.shape)
      ref.add_shape(d);
    return ref;
  }

  static void addCovers(llvm::ArrayRef<Cover> covers, google::protobuf::RepeatedPtrField<plan::Cover> &to) {
    for (const Cover &cover : covers) {
      plan::Cover &added = *to.Add();
      for (const Interval &interval : cover) {
        added.add_begins(interval.begin);
        added.add_ends(interval.end);
      }
    }
  }

  void emitSection(const Section &section, const std::vector<Address> &addresses, const std::vector<bool> &isInPlace) {
    const Graph &g = section.graph;
    auto ref = [&](ValueId v) { return tensor(g.type(v), addresses[v]); };
    for (ValueId v : g.sources(ValueKind::Input)) {
      const std::string &name = g.value(v).name;
      if (g.value(v).uses.empty() || !emittedInputs_.insert(name).second) continue;
      plan::Input &input = *out_.add_inputs();
      bool isOptimizer = &section == &program_.optimizerStep;
      input.set_name(name);
      input.set_kind(!isOptimizer ? plan::FEED : name == "step" ? plan::STEP : plan::LEARNING_RATE);
      *input.mutable_tensor() = ref(v);
    }
    // A state without a state slice is written by the runtime: the counter of random numbers.
    for (ValueId v : g.sources(ValueKind::State)) {
      if (section.stateSlices.count(v) || g.value(v).uses.empty()) continue;
      plan::Input &input = *out_.add_inputs();
      input.set_name(g.value(v).name);
      input.set_kind(plan::RANDOM_COUNTER);
      *input.mutable_tensor() = ref(v);
    }
    for (ValueId v : g.sources(ValueKind::Constant)) {
      llvm::ArrayRef<uint8_t> bytes = g.value(v).contents->bytes;
      if (g.value(v).uses.empty() || bytes.empty() || !emittedConstants_.insert(addresses[v].offset).second) continue;
      plan::Constant &constant = *out_.add_constants();
      *constant.mutable_tensor() = ref(v);
      constant.set_data(bytes.data(), bytes.size());
      if (auto part = covers_.find(addresses[v].offset); part != covers_.end())
        addCovers(part->second, *constant.mutable_covers());
    }
    for (const Output &output : g.outputs) {
      if (llvm::StringRef(output.name).startswith("state:")) continue;
      plan::Output &to = *out_.add_outputs();
      to.set_name(output.name);
      *to.mutable_tensor() = ref(output.value);
    }
    sequence_.clear();
    plan::Section &to = *out_.add_sections();
    to.set_name(section.name);
    for (NodeId id = g.first(); id != kNone; id = g.node(id).next)
      if (!isInPlace[id]) emitNode(g, g.node(id), addresses, to);
  }

  void emitNode(const Graph &g, const Node &node, const std::vector<Address> &addresses, plan::Section &section) {
    const OpDef &row = opOf(node);
    plan::Instruction &instruction = *section.add_instructions();
    instruction.set_origin(node.origin);
    instruction.set_name(g.value(node.results[0]).name);
    if (row.kernel == KernelId::None) {
      emitCollective(g, node, addresses, *instruction.mutable_collective());
      return;
    }
    plan::KernelCall &call = *instruction.mutable_kernel();
    call.set_kernel(uint32_t(row.kernel));
    for (ValueId v : node.operands)
      *call.add_operands() = tensor(g.type(v), addresses[v]);
    for (ValueId v : node.results)
      *call.add_results() = tensor(g.type(v), addresses[v]);
    for (const auto &[name, value] : node.attributes.all())
      addAttribute(call, name, value);
    call.set_workspace_offset(memory_.workspaceOffset);
    call.set_workspace_bytes(memory_.workspaceBytes);
  }

  static void addAttribute(plan::KernelCall &call, const std::string &name, const Attributes::Value &value) {
    plan::Attribute &to = *call.add_attributes();
    to.set_name(name);
    if (const auto *integer = std::get_if<int64_t>(&value)) to.set_integer(*integer);
    if (const auto *real = std::get_if<double>(&value)) to.set_real(*real);
    if (const auto *list = std::get_if<llvm::SmallVector<int64_t, 6>>(&value)) {
      to.mutable_integers();
      for (int64_t i : *list)
        to.mutable_integers()->add_values(i);
    }
  }

  void emitCollective(const Graph &g, const Node &node, const std::vector<Address> &addresses, plan::Collective &to) {
    const Attributes &a = node.attributes;
    to.set_kind(kindOf(node));
    to.set_group(group(meshAxisOf(node), a.integers("group")));
    *to.mutable_operand() = tensor(g.type(node.operands[0]), addresses[node.operands[0]]);
    *to.mutable_result() = tensor(g.type(node.results[0]), addresses[node.results[0]]);
    for (int64_t count : a.integers("counts"))
      to.add_counts(count);
    to.set_sequence(sequence_[to.group()]++);
  }

  uint32_t group(plan::MeshAxis axis, llvm::ArrayRef<int64_t> ranks) {
    auto [at, isNew] = groups_.try_emplace({axis, ranks.vec()}, uint32_t(groups_.size()));
    if (isNew) {
      plan::Group &to = *out_.add_groups();
      to.set_axis(axis);
      for (int64_t c : ranks)
        to.add_ranks(uint32_t(c));
    }
    return at->second;
  }

  void emitParameters() {
    llvm::DenseMap<ValueId, const ParameterInfo *> infos;
    for (const ParameterInfo &info : global_.parameters)
      infos[info.value] = &info;
    for (const PlacedParameter &p : program_.parameters) {
      plan::Parameter &to = *out_.add_parameters();
      const Value &value = global_.value(p.local.global);
      to.set_name(value.name);
      for (int64_t d : value.type.shape)
        to.add_global_shape(d);
      addCovers(p.local.covers, *to.mutable_covers());
      *to.mutable_tensor() = tensor(program_.microStep.graph.type(p.local.local), ofMicroStep()[p.local.local]);
      to.set_bucket(p.bucket);
      to.set_bucket_begin(uint64_t(p.begin));
      for (const auto &alias : infos.lookup(p.local.global)->aliases) {
        plan::Alias &a = *to.add_aliases();
        a.set_name(alias.name);
        a.set_transposed(alias.transposed);
      }
      const InitialNumbers initial = initialNumbersOf(global_, p.local.global);
      to.set_init_value(initial.mean);
      to.set_init_stddev(initial.deviation);
    }
    for (const BucketLayout &bucket : program_.buckets) {
      plan::Bucket &to = *out_.add_buckets();
      *to.mutable_accumulator() = accumulator(bucket);
      *to.mutable_parameters() = tensor(program_.states[bucket.parameters].type, memory_.states[bucket.parameters]);
      if (bucket.master != bucket.parameters)
        *to.mutable_master() = tensor(program_.states[bucket.master].type, memory_.states[bucket.master]);
      for (const BucketState &state : bucket.states) {
        plan::OptimizerState &added = *to.add_states();
        added.set_name(state.name);
        *added.mutable_tensor() = tensor(program_.states[state.state].type, memory_.states[state.state]);
        added.set_initial(state.initial);
      }
      to.set_elements(bucket.elements);
    }
  }

  /// Where this rank's slice of the reduced gradient lies after optimizer_step has run.
  plan::TensorRef accumulator(const BucketLayout &bucket) const {
    const uint64_t size = sizeOf(DType::F32);
    return tensor(
        Type{DType::F32, {bucket.own.elements}},
        {memory_.states[bucket.gradients].offset + uint64_t(bucket.own.begin - bucket.accumulated.begin) * size,
         uint64_t(bucket.own.dpStride - bucket.accumulated.dpStride) * size});
  }

  const Graph &global_;
  const RankProgram &program_;
  const MemoryPlan &memory_;
  plan::Program out_;
  std::map<std::pair<plan::MeshAxis, std::vector<int64_t>>, uint32_t> groups_;
  std::map<uint32_t, uint64_t> sequence_;
  std::set<std::string> emittedInputs_; ///< names; if two sections read an input, it is emitted once
  std::set<uint64_t> emittedConstants_; ///< where they lie; if two sections read a constant, it is emitted once
  std::map<uint64_t, llvm::ArrayRef<Cover>> covers_; ///< of constants of which this rank has a part, by where they lie
};

} // namespace

plan::Program emitProgram(const Graph &global, const RankProgram &program, const MemoryPlan &memory) {
  return Emitter(global, program, memory).run();
}

} // namespace autotp
