#include "passes/train/build_steps.h"

#include "compiler/ir/updates.h"
#include "compiler/ops/collectives.h"
#include "compiler/ops/op_def.h"
#include "passes/train/batch_statistics.h"
#include "passes/train/evaluation.h"
#include "passes/train/fill_buckets.h"
#include "passes/train/gather_buckets.h"
#include "passes/train/inline_schedule.h"
#include "passes/train/objective.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/Twine.h"

namespace autotp {
namespace {

using Integers = llvm::SmallVector<int64_t, 6>;

std::vector<uint8_t> bytesOf(llvm::ArrayRef<float> values) {
  const auto *begin = reinterpret_cast<const uint8_t *>(values.data());
  return {begin, begin + values.size() * sizeof(float)};
}

/// Half-open ranges of elements in a bucket; adjacent ranges are merged.
struct Segments {
  Integers begins, ends;
  void add(int64_t begin, int64_t end) {
    if (!ends.empty() && ends.back() == begin) {
      ends.back() = end;
      return;
    }
    begins.push_back(begin);
    ends.push_back(end);
  }
};

class StepBuilder {
public:
  StepBuilder(const Graph &global, LocalProgram local, const Objective &objective, const Updates &updates,
              const StepOptions &options)
      : global_(global), local_(std::move(local)), objective_(objective), updates_(updates), options_(options) {
    program_.microStep.name = "micro_step";
    program_.optimizerStep.name = "optimizer_step";
  }

  RankProgram run() {
    isScaled_ = objective_.lossScale != kNone;
    placeBuckets();
    program_.microStep.graph = std::move(local_.graph);
    program_.constants = std::move(local_.constants);
    lossState_ = addState("loss_sum", "sums", Type{DType::F32, {}}, true);
    countState_ = addState("count", "sums", Type{DType::F32, {}}, true);
    addBatchStatistics(program_, options_.dp);
    if (isScaled_) {
      scaleState_ = addState("loss_scale", "optimizer states", Type{DType::F32, {4}});
      const LossScaleOptions &scale = options_.lossScale;
      program_.states.back().initial =
          bytesOf({float(scale.initial), scale.isLate ? -1.0f : 0.0f, 0, float(scale.hysteresis)});
      program_.microStep.stateSlices[local_.values[objective_.lossScale]] = {scaleState_};
    }
    buildMicroStep();
    addEvaluation(program_);
    buildOptimizerStep();
    return std::move(program_);
  }

private:
  unsigned addState(const llvm::Twine &name, const char *region, Type type, bool isZeroed = false) {
    program_.states.push_back({name.str(), region, std::move(type), isZeroed});
    return unsigned(program_.states.size() - 1);
  }

  void placeBuckets() {
    FilledBuckets filled = fillBuckets(global_, local_, updates_, options_);
    program_.parameters = std::move(filled.parameters);
    program_.buckets = std::move(filled.buckets);
    for (auto [b, bucket] : indexed(program_.buckets)) {
      auto add = [&, b = b](const char *name, const char *region, DType type, const BucketSlice &held) {
        return addState(name + llvm::Twine(".") + llvm::Twine(b), region, Type{type, {held.elements}});
      };
      const DType dtype = bucket.kind.dtype;
      bucket.parameters = add("parameters", "parameters", dtype, bucket.kept);
      bucket.gradients = add("gradients", "gradients", DType::F32, bucket.accumulated);
      StateBuffer &gradients = program_.states.back();
      (options_.gradAccum > 1 ? gradients.isZeroedEachStep : gradients.isWithinStep) = true;
      bucket.master =
          dtype == DType::F32 ? bucket.parameters : add("master", "optimizer states", DType::F32, bucket.own);
    }
  }

  /// The place of `slice` in a state that holds the part `held` of a bucket.
  static StateSlice sliceIn(unsigned state, const BucketSlice &held, const BucketSlice &slice) {
    return {state, slice.begin - held.begin, slice.dpStride - held.dpStride};
  }
  StateSlice ownSlice(const BucketLayout &bucket, unsigned state) const {
    return sliceIn(state, state == bucket.parameters ? bucket.kept : bucket.own, bucket.own);
  }

  /// A source of the section that reads a state, or a slice of it.
  ValueId source(Section &section, StateSlice slice, Type type) {
    ValueId value = section.graph.addState(program_.states[slice.state].name, std::move(type));
    section.stateSlices[value] = slice;
    return value;
  }
  ValueId source(Section &section, unsigned state) { return source(section, {state}, program_.states[state].type); }

  void store(Section &section, ValueId value, StateSlice slice) {
    section.stateSlices[value] = slice;
    section.graph.outputs.push_back({"state:" + program_.states[slice.state].name, value});
  }

  void buildMicroStep() {
    Section &s = program_.microStep;
    placeParameters(s);
    ValueId loss = s.graph.output("loss_sum"), count = s.graph.output("count");
    s.graph.outputs.clear();
    for (PlacedParameter &p : program_.parameters)
      p.local.gradient = inF32(s.graph, p.local.gradient);
    std::vector<NodeId> last = lastGradients(s.graph);
    for (unsigned b = 0; b < program_.buckets.size(); ++b)
      accumulateBucket(s, b, last[b]);
    for (auto [state, value] : {std::pair(lossState_, loss), std::pair(countState_, count)}) {
      Builder builder(s.graph);
      builder.origin = "loss";
      store(s, builder.make("accumulate", {source(s, state), value}), {state});
    }
  }

  void placeParameters(Section &s) {
    if (!slicesParameters(options_)) {
      for (const PlacedParameter &p : program_.parameters)
        s.stateSlices[p.local.local] = {program_.buckets[p.bucket].parameters, p.begin, 0};
      return;
    }
    std::vector<ValueId> slices;
    llvm::SmallVector<BucketKind, 4> kinds;
    for (const BucketLayout &bucket : program_.buckets) {
      slices.push_back(source(s, bucket.parameters));
      if (!llvm::is_contained(kinds, bucket.kind)) kinds.push_back(bucket.kind);
    }
    // Each kind has two whole buckets at a time, since norms are used between all other parameters.
    for (const BucketKind &kind : kinds) {
      std::vector<PlacedParameter> parameters;
      llvm::copy_if(program_.parameters, std::back_inserter(parameters),
                    [&](const PlacedParameter &p) { return program_.buckets[p.bucket].kind == kind; });
      gatherBuckets(s.graph, parameters, slices, options_.dp);
    }
  }

  /// Casts the gradient to f32 right where it is computed, so that only its copy in the bucket lives on.
  ValueId inF32(Graph &graph, ValueId gradient) {
    const Type type = graph.type(gradient);
    if (type.dtype == DType::F32) return gradient;
    const Node *producer = graph.producer(gradient);
    Builder b(graph, producer ? producer->next : graph.first());
    b.origin = producer ? producer->origin : "gradients";
    b.backward = true;
    return b.makeTyped("cast", {gradient}, Type{DType::F32, type.shape});
  }

  /// For each bucket the node that computes the last of its gradients; kNone if no node does.
  std::vector<NodeId> lastGradients(const Graph &g) const {
    std::vector<llvm::SmallVector<unsigned, 1>> wanted(g.numNodes()); // for each node, the buckets that it fills
    for (const PlacedParameter &p : program_.parameters)
      if (NodeId producer = g.value(p.local.gradient).producer; producer != kNone) wanted[producer].push_back(p.bucket);
    std::vector<NodeId> last(program_.buckets.size(), kNone);
    for (NodeId id = g.first(); id != kNone; id = g.node(id).next)
      for (unsigned bucket : wanted[id])
        last[bucket] = id;
    return last;
  }

  /// Adds a bucket of gradients to its accumulator right after the last of them is computed, so that their memory is
  /// free while the backward goes on.
  void accumulateBucket(Section &s, unsigned b, NodeId last) {
    const BucketLayout &bucket = program_.buckets[b];
    llvm::SmallVector<ValueId, 8> parts;
    int64_t used = 0;
    Builder builder(s.graph, last == kNone ? kNone : s.graph.node(last).next);
    builder.backward = true;
    builder.origin = ("gradient bucket " + llvm::Twine(b)).str();
    for (const PlacedParameter &p : program_.parameters) {
      if (p.bucket != b) continue;
      int64_t elements = s.graph.type(p.local.gradient).elements();
      parts.push_back(builder.reshape(p.local.gradient, {elements}));
      used += elements;
    }
    if (used < bucket.elements) parts.push_back(builder.full(Type{DType::F32, {bucket.elements - used}}, 0));
    ValueId flat = builder.make("concat", parts, {{"axis", int64_t(0)}});
    if (bucket.accumulated != bucket.whole()) flat = reduced(s, builder, flat, bucket, /*isInState=*/false);
    if (options_.gradAccum > 1) flat = builder.make("accumulate", {source(s, bucket.gradients), flat});
    store(s, flat, {bucket.gradients});
  }

  /// The sum of a whole bucket over dp (over all ranks if it is Partial over tp): the slice of it that this rank
  /// updates. If `isInState`, the sum overwrites its operand, which is the bucket's state.
  ValueId reduced(Section &s, Builder &b, ValueId bucketOfRank, const BucketLayout &bucket, bool isInState) {
    const int n = bucket.kind.isPartial ? options_.tp * options_.dp : options_.dp;
    const plan::MeshAxis axis = bucket.kind.isPartial ? plan::WORLD : plan::DP;
    ValueId sum = bucketOfRank;
    BucketSlice held = bucket.whole();
    if (bucket.own == held) {
      sum = allReduce(b, sum, everyRank(axis, n));
    } else if (n > 1) {
      held = bucket.kind.isPartial ? bucket.own : sliceOverDp(bucket, options_.dp);
      sum = reduceScatter(b, sum, everyRank(axis, n), held.elements);
    }
    if (isInState && sum != bucketOfRank) store(s, sum, sliceIn(bucket.gradients, bucket.accumulated, held));
    return held == bucket.own ? sum : b.slice(sum, 0, bucket.own.begin - held.begin, bucket.own.elements);
  }

  void buildOptimizerStep() {
    Section &s = program_.optimizerStep;
    Builder b(s.graph);
    Type scalar{DType::F32, {}};
    ValueId lr = s.graph.addInput("learning_rate", scalar), step = s.graph.addInput("step", scalar);
    b.origin = "gradients";
    llvm::SmallVector<ValueId, 4> gradients;
    ValueId squares = kNone;
    for (unsigned i = 0; i < program_.buckets.size(); ++i) {
      gradients.push_back(reducedGradient(s, b, program_.buckets[i]));
      ValueId own = b.make("sum_squares", {gradients.back()},
                           segments(i, [&](const PlacedParameter &p) { return countedOf(p); }));
      squares = squares == kNone ? own : b.make("add", {squares, own});
    }
    squares = allReduce(b, squares,
                        options_.zero >= 1 ? everyRank(plan::WORLD, options_.tp * options_.dp)
                                           : everyRank(plan::TP, options_.tp));
    ValueId divisor = lossAndDivisor(s, b);
    auto scaled = b.makeMany("grad_scale", {squares, divisor}, {{"max_norm", updates_.clipGradNorm}});
    s.graph.outputs.push_back({"grad_norm", scaled[1]});
    ValueId scale = scaled[0];
    if (isScaled_) {
      ValueId state = source(s, scaleState_);
      const LossScaleOptions &moves = options_.lossScale;
      auto decided = b.makeMany("loss_scale", {state, scale, scaled[1], step},
                                {{"window", moves.window},
                                 {"hysteresis", moves.hysteresis},
                                 {"minimum", moves.minimum},
                                 {"refills", int64_t(moves.refills)},
                                 {"is_late", int64_t(moves.isLate)}});
      store(s, decided[0], {scaleState_});
      s.graph.outputs.push_back({"loss_scale", b.reshape(b.slice(decided[0], 0, 0, 1), {})});
      scale = decided[1];
      step = decided[2];
    }
    b.origin = "schedule";
    const llvm::StringMap<ValueId> scalars = scheduleScalars(s, b, lr, step);
    for (unsigned i = 0; i < program_.buckets.size(); ++i)
      updateBucket(s, b, i, gradients[i], scale, scalars);
    keepScheduleStates(s, b, scalars, scale);
    if (updates_.hasOwnRate()) s.graph.outputs.push_back({"learning_rate", scalars.lookup(updates_.rules[0].rate)});
  }

  /// The scalars of the step, by the names of the schedule's outputs.
  llvm::StringMap<ValueId> scheduleScalars(Section &s, Builder &b, ValueId lr, ValueId step) {
    return inlineSchedule(updates_.schedule, b, [&](const Value &source) {
      if (source.kind == ValueKind::Input) return source.name == "step" ? step : lr;
      const unsigned state = addState("schedule." + source.name, "optimizer states", source.type);
      program_.states[state].initial = updates_.initial[scheduleStates_.size()].bytes.vec();
      scheduleStates_.push_back({source.name, state, this->source(s, state)});
      return scheduleStates_.back().value;
    });
  }

  /// Stores the next values of the schedule's states. This comes last, since updates may read the values before the
  /// step.
  void keepScheduleStates(Section &s, Builder &b, const llvm::StringMap<ValueId> &scalars, ValueId scale) {
    b.origin = "schedule";
    for (const ScheduleState &state : scheduleStates_) {
      ValueId next = scalars.lookup(Updates::nextName(state.name));
      if (next == state.value) continue;
      // An overflowing step of f16 is skipped.
      if (isScaled_) next = b.make("where", {b.make("is_nan", {scale}), state.value, next});
      store(s, b.make("copy", {next}), {state.state});
    }
  }

  ValueId reducedGradient(Section &s, Builder &b, const BucketLayout &bucket) {
    ValueId sum = source(s, bucket.gradients);
    return bucket.accumulated == bucket.own && bucket.own != bucket.whole() ? sum : reduced(s, b, sum, bucket, true);
  }

  /// The elements of a parameter that count in the norm on this rank. If ranks update disjoint slices of a replicated
  /// bucket, all elements count; otherwise only those that no earlier tp rank holds.
  llvm::SmallVector<Interval, 2> countedOf(const PlacedParameter &p) const {
    const BucketLayout &bucket = program_.buckets[p.bucket];
    if (!bucket.kind.isReplicated || bucket.own == bucket.whole()) return p.local.counted;
    return {{0, program_.microStep.graph.type(p.local.local).elements()}};
  }

  /// Outputs the loss and returns the divisor of gradients: the count over the global batch, times the loss scale if
  /// there is one.
  ValueId lossAndDivisor(Section &s, Builder &b) {
    ValueId sums[2] = {source(s, lossState_), source(s, countState_)};
    b.origin = "loss";
    ValueId both = b.make("concat", {b.reshape(sums[0], {1}), b.reshape(sums[1], {1})}, {{"axis", int64_t(0)}});
    both = allReduce(b, both, everyRank(plan::DP, options_.dp));
    for (int64_t i : {0, 1})
      sums[i] = b.reshape(b.slice(both, 0, i, 1), {});
    s.graph.outputs.push_back({"loss", b.make("div", {sums[0], sums[1]})});
    ValueId divisor = sums[1];
    if (isScaled_) {
      Type scalar{DType::F32, {}};
      ValueId scale = b.make("mul", {source(s, {scaleState_}, scalar), b.full(scalar, objective_.scaleShare)});
      divisor = b.make("mul", {divisor, scale});
    }
    s.graph.outputs.push_back({"grad_divisor", divisor});
    return divisor;
  }

  void updateBucket(Section &s, Builder &b, unsigned i, ValueId gradient, ValueId scale,
                    const llvm::StringMap<ValueId> &scalars) {
    BucketLayout &bucket = program_.buckets[i];
    const UpdateRule &rule = updates_.rules[bucket.kind.rule];
    const Type type{DType::F32, {bucket.own.elements}};
    b.origin = ("update of bucket " + llvm::Twine(i)).str();
    bool hasMaster = bucket.master != bucket.parameters;
    llvm::SmallVector<StateSlice, 3> slices = {ownSlice(bucket, bucket.master)};
    llvm::SmallVector<ValueId, 7> operands = {source(s, slices[0], type)};
    for (auto [k, initial] : indexed(rule.initial)) {
      const llvm::StringRef name = findOp(rule.op)->states[k];
      slices.push_back({addState(name + "." + llvm::Twine(i), "optimizer states", type)});
      bucket.states.push_back({name.str(), slices.back().state, initial});
      operands.push_back(source(s, slices.back(), type));
    }
    operands.append({gradient, scale, scalars.lookup(rule.rate), scalars.lookup(rule.count)});
    Attributes attributes = segments(i, [&](const PlacedParameter &p) -> Intervals {
      if (!updates_.parameters.lookup(global_.value(p.local.global).name).decays) return {};
      return {{0, program_.microStep.graph.type(p.local.local).elements()}};
    });
    for (const auto &[name, value] : rule.attributes.all())
      attributes.set(name, value);
    auto updated = b.makeMany(rule.op, operands, attributes);
    for (auto [k, slice] : indexed(slices))
      store(s, updated[k], slice);
    ValueId own = updated[0];
    if (hasMaster) {
      own = b.makeTyped("cast", {own}, Type{bucket.kind.dtype, type.shape});
      store(s, own, ownSlice(bucket, bucket.parameters));
    }
    gatherUpdated(s, b, own, bucket);
  }

  /// All-gathers the updated slices into the slices that ranks keep: over all ranks, over dp, or over the tp ranks of
  /// one dp rank.
  void gatherUpdated(Section &s, Builder &b, ValueId own, const BucketLayout &bucket) {
    if (bucket.own == bucket.kept) return;
    const bool isWhole = bucket.kept == bucket.whole(), isShared = bucket.kind.isReplicated;
    const RankGroup group = !isShared ? everyRank(plan::DP, options_.dp)
                            : isWhole ? everyRank(plan::WORLD, options_.tp * options_.dp)
                                      : everyRank(plan::TP, options_.tp);
    ValueId kept = source(s, bucket.parameters);
    store(s, allGatherInto(b, own, kept, group), {bucket.parameters});
  }

  using Intervals = llvm::SmallVector<Interval, 2>;
  /// The attributes {begins, ends, dp_slice} that select the elements of a bucket's parameters named by `elementsOf`.
  /// They are counted from the begin of dp rank 0's slice; dp_slice is the distance between the slices of consecutive
  /// dp ranks.
  Attributes segments(unsigned bucket, llvm::function_ref<Intervals(const PlacedParameter &)> elementsOf) const {
    Segments segments;
    const BucketSlice &own = program_.buckets[bucket].own;
    for (const PlacedParameter &p : program_.parameters)
      if (p.bucket == bucket)
        for (const Interval &interval : elementsOf(p)) {
          const int64_t begin = p.begin + interval.begin - own.begin, end = p.begin + interval.end - own.begin;
          if (end > 0) segments.add(std::max<int64_t>(0, begin), end);
        }
    return {{"begins", segments.begins}, {"ends", segments.ends}, {"dp_slice", own.dpStride}};
  }

  /// A scalar that the schedule keeps between steps.
  struct ScheduleState {
    std::string name;
    unsigned state;
    ValueId value; ///< its value before the step
  };

  const Graph &global_;
  LocalProgram local_;
  const Objective &objective_;
  const Updates &updates_;
  StepOptions options_;
  bool isScaled_ = false;
  RankProgram program_;
  unsigned lossState_ = 0, countState_ = 0, scaleState_ = 0;
  std::vector<ScheduleState> scheduleStates_;
};

} // namespace

RankProgram buildSteps(const Graph &global, LocalProgram local, const Objective &objective, const Updates &updates,
                       const StepOptions &options) {
  return StepBuilder(global, std::move(local), objective, updates, options).run();
}

} // namespace autotp
