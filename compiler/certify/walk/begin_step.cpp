// compiler/certify/walk/begin_step.cpp: what memory holds when a step of training begins.
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/buckets.h"
#include "compiler/certify/state/proof.h"
#include "compiler/certify/walk/walk.h"
#include "compiler/ir/loss.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"

#include "llvm/ADT/StringExtras.h"

#include <cmath>
#include <set>

namespace autotp {

bool isScratch(const plan::Region &region) {
  return llvm::StringRef(region.name()).endswith("activations") || region.name() == "workspace";
}

namespace {

llvm::Error refuseParameter(llvm::StringRef name, llvm::StringRef what) {
  return refuse("parameter '" + escaped(name) + "' " + what);
}

void placeRegions(TpRank &rank) {
  for (const plan::Region &region : rank.program.regions()) {
    if (isScratch(region)) continue;
    const Content *state = rank.proof.symbols.store.add({DType::F32, region.bytes(), Stored::State});
    rank.arena.write({region.offset(), region.bytes(), 1}, Piece{state, 0, region.bytes()});
  }
}

llvm::Error checkParameter(TpRank &rank, const plan::Parameter &parameter) {
  Proof &proof = rank.proof;
  auto row = proof.parameters.find(parameter.name());
  std::optional<Lists> covers = coversOf(rank, parameter);
  if (row == proof.parameters.end() || !covers || DType(parameter.tensor().dtype()) != row->second.type.dtype ||
      !llvm::equal(parameter.global_shape(), row->second.type.shape))
    return refuseParameter(parameter.name(), "is not the graph's");
  const bool hasMaster = row->second.master != row->second.root;
  if (hasMaster != rank.program.buckets(int(parameter.bucket())).has_master())
    return refuseParameter(parameter.name(),
                           hasMaster ? "has no master weights in f32" : "is f32, and has master weights");
  for (auto [d, list] : indexed(*covers)) {
    const Hint hint{row->second.type.shape[d], list};
    if (!proof.symbols.lists.isWhole(list, hint.size) && !llvm::is_contained(rank.hints, hint))
      rank.hints.push_back(hint);
  }
  return llvm::Error::success();
}

/// The program has a part of each parameter, once.
llvm::Error checkParameters(TpRank &rank) {
  std::set<std::string> known;
  for (const plan::Parameter &parameter : rank.program.parameters()) {
    if (!known.insert(parameter.name()).second) return refuseParameter(parameter.name(), "is there twice");
    if (llvm::Error error = checkParameter(rank, parameter)) return error;
  }
  for (const auto &row : rank.proof.parameters)
    if (!known.count(row.first().str())) return refuseParameter(row.first(), "is not there at all");
  return llvm::Error::success();
}

/// Puts a parameter over the padding `all` of its bucket.
llvm::Error placeInBucket(Pieces &bucket, const Content *all, const plan::Parameter &parameter,
                          const Content *content) {
  const uint64_t begin = parameter.bucket_begin() * sizeOf(all->dtype), end = begin + content->bytes;
  const Pieces free = sub(bucket, begin, content->bytes);
  if (content->dtype != all->dtype || free.size() != 1 || free[0].content != all || free[0].bytes != content->bytes)
    return refuseParameter(parameter.name(), "lies over another one in its bucket, or is of another dtype");
  Pieces next = sub(bucket, 0, begin);
  next.push_back({content, 0, content->bytes});
  llvm::append_range(next, sub(bucket, end, all->bytes - end));
  bucket = std::move(next);
  return llvm::Error::success();
}

/// Writes a bucket's parameters, or their master weights, one after the other, with what the step before left between them:
/// as much of it as `ref` has.
llvm::Error placeBucket(TpRank &rank, int number, const plan::TensorRef &ref, RootId Proof::Parameter::*root) {
  Proof &proof = rank.proof;
  const plan::Bucket &bucket = rank.program.buckets(number);
  const auto dtype = DType(ref.dtype());
  const uint64_t size = sizeOf(dtype);
  const Content *padding = proof.symbols.store.add({dtype, uint64_t(bucket.elements()) * size, Stored::State});
  Pieces whole = {{padding, 0, padding->bytes}};
  for (const plan::Parameter &parameter : rank.program.parameters()) {
    if (parameter.bucket() != uint32_t(number) || elementsOf(parameter.tensor()) == 0) continue;
    const Content *content =
        proof.parameterContent(proof.parameters.find(parameter.name())->second.*root, *coversOf(rank, parameter));
    if (llvm::Error error = placeInBucket(whole, padding, parameter, content)) return error;
  }
  Flat flat{{}, elementsOf(ref) != bucket.elements() && proof.options.dp > 1};
  for (const Window &window : windowsOf(rank, bucket, ref))
    for (const Piece &piece : sub(whole, uint64_t(window.inBucket) * size, uint64_t(window.elements) * size))
      append(flat.image, piece);
  return rank.writeFlat(ref, flat);
}

llvm::Error placeBuckets(TpRank &rank) {
  rank.bucketsInParts = bucketsInParts(rank);
  for (auto [b, bucket] : indexed(rank.program.buckets())) {
    if (llvm::Error error = placeBucket(rank, int(b), bucket.parameters(), &Proof::Parameter::root)) return error;
    if (!bucket.has_master()) continue;
    if (llvm::Error error = placeBucket(rank, int(b), bucket.master(), &Proof::Parameter::master)) return error;
  }
  return llvm::Error::success();
}

void placeConstants(TpRank &rank) {
  for (const plan::Constant &constant : rank.program.constants()) {
    const plan::TensorRef &ref = constant.tensor();
    Constant content{{constant.data().data(), constant.data().size()}};
    content.claimed = listsOf(rank.proof.symbols.lists, constant.covers(), ref).value_or(Lists());
    content.fill = llvm::all_of(content.data, [](char byte) { return byte == 0; }) ? 0 : NAN;
    const Content *held = rank.proof.symbols.store.add({DType(ref.dtype()), bytesOf(ref), std::move(content)});
    rank.write(ref, held);
    rank.keep({ref.offset(), held->bytes, 1}, held);
  }
}

/// A state of the schedule is a value of it.
llvm::Error placeScheduleState(TpRank &rank, const plan::State &state, llvm::StringRef name) {
  const Schedule &schedule = rank.proof.schedule;
  std::optional<ValueId> value = schedule.source(ValueKind::State, name);
  const plan::TensorRef &ref = state.tensor();
  if (!value || schedule.type(*value).dtype != DType(ref.dtype()) || ref.dp_stride() ||
      state.data().size() != bytesOf(ref) || state.data() != llvm::toStringRef(schedule.initial(*value).bytes))
    return refuse("state '" + escaped(state.name()) + "' is not the schedule's, or begins with something else");
  rank.writeNew(ref, ScheduleValue{*value});
  return llvm::Error::success();
}

llvm::Error placeStates(TpRank &rank) {
  const CertifyOptions &options = rank.proof.options;
  size_t placed = 0;
  for (const plan::State &state : rank.program.states()) {
    llvm::StringRef name = state.name();
    if (name == "loss_scale" && options.lossScale) {
      if (llvm::Error error = placeLossScale(rank, state)) return error;
    } else if (name.consume_front("schedule.")) {
      if (llvm::Error error = placeScheduleState(rank, state, name)) return error;
      ++placed;
    } else if (!isBatchStatistic(name)) { // which are sums until batch_statistics has run
      return refuse("state '" + escaped(state.name()) + "' is nobody's");
    }
  }
  if (options.lossScale && !rank.lossScale) return refuse("the program lacks the loss scale");
  if (placed == options.updates->initial.size()) return llvm::Error::success();
  return refuse("the program lacks a state of the schedule, or has it twice");
}

} // namespace

llvm::Error beginStep(TpRank &rank) {
  placeRegions(rank);
  if (llvm::Error error = checkParameters(rank)) return error;
  if (llvm::Error error = placeBuckets(rank)) return error;
  placeConstants(rank);
  if (llvm::Error error = placeStates(rank)) return error;
  for (const plan::TensorRef &ref : rank.program.zeroed_each_step())
    rank.writeNew(ref, Stored::Sums);
  return llvm::Error::success();
}

} // namespace autotp
