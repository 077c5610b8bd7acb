// compiler/certify/walk/coordinate_ends.cpp: what a step of training begins with, and what it must leave behind.
#include "compiler/certify/walk/coordinate.h"
#include "compiler/ir/loss.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"

#include "llvm/ADT/StringExtras.h"

#include <set>

namespace autotp {
namespace {

/// Covers of a tensor, one a dimension; nothing where they are none, or as many elements as it has.
std::optional<Lists> listsOf(IndexLists &lists, const google::protobuf::RepeatedPtrField<plan::Cover> &covers,
                             const plan::TensorRef &tensor) {
  Lists all;
  if (covers.size() != tensor.shape_size()) return std::nullopt;
  for (auto [d, cover] : indexed(covers)) {
    llvm::SmallVector<Interval, 4> held;
    int64_t at = 0;
    for (int i = 0; i < std::min(cover.begins_size(), cover.ends_size()); ++i) {
      if (cover.begins(i) < at || cover.ends(i) < cover.begins(i)) return std::nullopt;
      held.push_back({cover.begins(i), at = cover.ends(i)});
    }
    all.push_back(lists.of(held));
    if (lists.length(all.back()) != tensor.shape(int(d))) return std::nullopt;
  }
  return all;
}

/// The runtime leaves these as they are when it loads a program, and sets everything else to 0.
bool isScratch(const plan::Region &region) { return region.name() == "activations" || region.name() == "workspace"; }

} // namespace

llvm::Error Coordinate::begin() {
  for (const plan::Region &region : program_.regions()) {
    if (isScratch(region)) continue;
    Content state;
    state.kind = Content::Kind::State;
    state.bytes = region.bytes();
    arena_.write({region.offset(), region.bytes(), 1}, Piece{proof_.store.add(std::move(state)), 0, region.bytes()});
  }
  std::set<std::string> known;
  for (const plan::Parameter &parameter : program_.parameters()) {
    if (!known.insert(parameter.name()).second)
      return problem("parameter '" + escaped(parameter.name()) + "'", "the program has it twice");
    if (llvm::Error error = checkDeclared(parameter)) return error;
  }
  findBucketsInParts();
  for (auto [b, bucket] : indexed(program_.buckets())) {
    if (llvm::Error error = placeBucket(int(b), bucket.parameters(), &Proof::Parameter::root)) return error;
    if (!bucket.has_master()) continue;
    if (llvm::Error error = placeBucket(int(b), bucket.master(), &Proof::Parameter::master)) return error;
  }
  for (const auto &row : proof_.parameters)
    if (!known.count(row.first().str()))
      return problem("parameter '" + escaped(row.first()) + "'", "the program has no part of it");
  for (const plan::Constant &constant : program_.constants()) {
    Content content;
    content.kind = Content::Kind::Constant;
    content.dtype = DType(constant.tensor().dtype());
    content.bytes = bytesOf(constant.tensor());
    content.data = {constant.data().data(), constant.data().size()};
    content.claimed = listsOf(proof_.lists, constant.covers(), constant.tensor()).value_or(Lists());
    content.fill = llvm::all_of(content.data, [](char byte) { return byte == 0; }) ? 0 : NAN;
    const Content *held = proof_.store.add(std::move(content));
    write(constant.tensor(), Piece{held, 0, held->bytes});
    kept_.push_back({{constant.tensor().offset(), held->bytes, 1}, held});
  }
  if (llvm::Error error = placeStates()) return error;
  for (const plan::TensorRef &ref : program_.zeroed_each_step()) {
    Content sums;
    sums.kind = Content::Kind::Sums;
    sums.dtype = DType(ref.dtype());
    sums.bytes = bytesOf(ref);
    write(ref, Piece{proof_.store.add(std::move(sums)), 0, bytesOf(ref)});
  }
  return llvm::Error::success();
}

/// The lists of a parameter's covers; nothing where they do not fit.
std::optional<Lists> Coordinate::coversOf(const plan::Parameter &parameter) {
  return listsOf(proof_.lists, parameter.covers(), parameter.tensor());
}

llvm::Error Coordinate::checkDeclared(const plan::Parameter &parameter) {
  auto row = proof_.parameters.find(parameter.name());
  std::optional<Lists> covers = coversOf(parameter);
  if (row == proof_.parameters.end() || !covers || DType(parameter.tensor().dtype()) != row->second.type.dtype ||
      !llvm::equal(parameter.global_shape(), row->second.type.shape))
    return problem("parameter '" + escaped(parameter.name()) + "'", "it is not the graph's");
  const bool hasMaster = row->second.master != row->second.root;
  if (hasMaster != program_.buckets(int(parameter.bucket())).has_master())
    return problem("parameter '" + escaped(parameter.name()) + "'",
                   hasMaster ? "it has no master weights in f32" : "it is f32, and has master weights");
  for (auto [d, list] : indexed(*covers)) {
    const Moves::Hint hint{row->second.type.shape[d], list};
    if (!proof_.lists.isWhole(list, hint.size) && !llvm::is_contained(hints_, hint)) hints_.push_back(hint);
  }
  return llvm::Error::success();
}

/// What memory holds of a parameter, or of its master weights, when a step begins.
const Content *Coordinate::initial(const plan::Parameter &parameter, RootOf root) {
  return proof_.parameterContent(proof_.parameters.find(parameter.name())->second.*root, *coversOf(parameter));
}

/// A bucket's parameters, or their master weights, one after the other, with what the step before left between them:
/// as much of it as `ref` has.
llvm::Error Coordinate::placeBucket(int number, const plan::TensorRef &ref, RootOf root) {
  const plan::Bucket &bucket = program_.buckets(number);
  const uint64_t size = sizeOf(DType(ref.dtype()));
  Content padding;
  padding.kind = Content::Kind::State;
  padding.dtype = DType(ref.dtype());
  padding.bytes = uint64_t(bucket.elements()) * size;
  const Content *all = proof_.store.add(std::move(padding));
  std::vector<Piece> whole = {{all, 0, all->bytes}};
  for (const plan::Parameter &parameter : program_.parameters()) {
    if (parameter.bucket() != uint32_t(number) || elementsOf(parameter.tensor()) == 0) continue;
    const Content *content = initial(parameter, root);
    const uint64_t begin = parameter.bucket_begin() * size, end = begin + content->bytes;
    const std::vector<Piece> free = sub(whole, begin, content->bytes);
    if (content->dtype != DType(ref.dtype()) || free.size() != 1 || free[0].content != all ||
        free[0].bytes != content->bytes)
      return problem("parameter '" + escaped(parameter.name()) + "'",
                     "it lies over another one in its bucket, or is of another dtype");
    std::vector<Piece> next = sub(whole, 0, begin), after = sub(whole, end, all->bytes - end);
    next.push_back({content, 0, content->bytes});
    next.insert(next.end(), after.begin(), after.end());
    whole = std::move(next);
  }
  Flat flat{{}, elementsOf(ref) != bucket.elements() && proof_.options.dp > 1};
  for (const Window &window : windowsOf(bucket, ref))
    for (const Piece &piece : sub(whole, uint64_t(window.inBucket) * size, uint64_t(window.elements) * size))
      append(flat.image, piece);
  return writeFlat(ref, flat);
}

llvm::Error Coordinate::placeInput(const plan::Input &input) {
  Content content;
  content.dtype = DType(input.tensor().dtype());
  content.bytes = bytesOf(input.tensor());
  if (input.kind() == plan::STEP && proof_.options.lossScale) {
    content.kind = Content::Kind::StepNumber; // the schedule does not see it, see decideStep()
  } else if (input.kind() != plan::STEP && input.kind() != plan::LEARNING_RATE) {
    const GlobalOperand *wanted = nullptr;
    const bool isFeed = input.kind() == plan::FEED;
    for (ValueId id : proof_.graph.sources(isFeed ? ValueKind::Input : ValueKind::State))
      if (proof_.graph.value(id).name == input.name()) wanted = &proof_.values.value(id);
    if (!wanted || content.dtype != wanted->type.dtype || !llvm::equal(input.tensor().shape(), wanted->type.shape))
      return problem("input '" + escaped(input.name()) + "'", "it is not the graph's");
    content.root = proof_.values.view(wanted->view).root;
    for (int64_t size : wanted->type.shape)
      content.lists.push_back(proof_.lists.whole(size));
  } else {
    content.kind = Content::Kind::Scalar;
    content.scalar = proof_.schedule.source(ValueKind::Input, input.name()).value_or(kNone);
  }
  if (content.bytes == 0) return llvm::Error::success();
  const Content *held = proof_.store.add(std::move(content));
  write(input.tensor(), Piece{held, 0, held->bytes});
  return llvm::Error::success();
}

/// Those of the schedule are values of it; what others begin with is asked by the updates that have them.
llvm::Error Coordinate::placeStates() {
  size_t placed = 0;
  for (const plan::State &state : program_.states()) {
    llvm::StringRef name = state.name();
    if (name == "loss_scale" && proof_.options.lossScale) {
      if (llvm::Error error = placeLossScale(state)) return error;
      continue;
    }
    if (isBatchStatistic(name)) continue; // sums, see placeStatistics()
    if (!name.consume_front("schedule.")) {
      initial_.push_back({&state, false});
      continue;
    }
    std::optional<ValueId> value = proof_.schedule.source(ValueKind::State, name);
    const plan::TensorRef &ref = state.tensor();
    if (!value || proof_.schedule.type(*value).dtype != DType(ref.dtype()) || ref.dp_stride() ||
        state.data().size() != bytesOf(ref) || state.data() != llvm::toStringRef(proof_.schedule.initial(*value).bytes))
      return problem("state '" + escaped(state.name()) + "'",
                     "it is not the schedule's, or begins with something else");
    Content content;
    content.kind = Content::Kind::Scalar;
    content.dtype = DType(ref.dtype());
    content.bytes = bytesOf(ref);
    content.scalar = *value;
    write(ref, Piece{proof_.store.add(std::move(content)), 0, bytesOf(ref)});
    ++placed;
  }
  if (proof_.options.lossScale && !lossScale_) return problem("program", "it lacks the loss scale");
  if (placed == proof_.options.updates->initial.size()) return llvm::Error::success();
  return problem("program", "it lacks a state of the schedule, or has it twice");
}

llvm::Error Coordinate::checkStates() {
  for (const auto &[state, isFound] : initial_)
    if (!isFound) return problem("", "state '" + escaped(state->name()) + "' is no update's");
  for (const plan::State &state : program_.states()) {
    llvm::StringRef name = state.name();
    if (!name.consume_front("schedule.")) continue;
    llvm::Expected<const Content *> held = tensor(state.tensor());
    if (!held) return held.takeError();
    const ValueId before = *proof_.schedule.source(ValueKind::State, name), next = proof_.schedule.next(before);
    const bool mayMove = !proof_.options.lossScale || next == before || (*held && (*held)->isUpdated);
    if (!mayMove || !proof_.schedule.holds(*held, next))
      return problem("", "state '" + escaped(state.name()) + "' does not hold what the next step begins with");
  }
  return proof_.options.lossScale ? checkLossScale() : llvm::Error::success();
}

llvm::Expected<const Coordinate::Flat *> Coordinate::HeldFlats::of(const plan::TensorRef &ref) {
  if (auto known = flats.find(&ref); known != flats.end()) return &known->second;
  llvm::Expected<Flat> held = coordinate.flat(ref);
  if (!held) return held.takeError();
  return &flats.emplace(&ref, std::move(*held)).first->second;
}

llvm::Error Coordinate::finish() {
  const std::string where = "tp coordinate " + std::to_string(number_) + ", at the end of a step";
  HeldFlats flats{*this};
  for (const plan::Parameter &parameter : program_.parameters())
    if (llvm::Error error = checkParameter(parameter, flats)) return placed(where, std::move(error));
  if (llvm::Error error = checkKept()) return placed(where, std::move(error));
  if (llvm::Error error = checkStates()) return placed(where, std::move(error));
  bool hasLoss = false;
  for (const plan::Output &output : program_.outputs()) {
    if (llvm::Error error = checkOutput(output)) return placed(where, std::move(error));
    hasLoss |= output.name() == "loss";
  }
  if (!hasLoss) return problem(where, "the program yields no loss");
  return llvm::Error::success();
}

llvm::Error Coordinate::checkKept() const {
  for (const auto &[range, content] : kept_) {
    std::vector<Piece> held;
    std::string why;
    if (!arena_.read(range, held, why) || (range.bytes && (held.size() != 1 || held[0].content != content)))
      return problem("", "bytes from " + std::to_string(range.offset) + " no longer hold " +
                             describe(*content, proof_.values, proof_.lists));
  }
  return llvm::Error::success();
}

llvm::Error Coordinate::placeStatistics() {
  for (ValueId source : proof_.graph.sources(ValueKind::State)) {
    const std::string &name = proof_.graph.value(source).name;
    if (!isBatchStatistic(name)) continue;
    const Type &type = proof_.graph.type(source);
    auto isIt = [&](const plan::State &state) {
      return state.name() == name && DType(state.tensor().dtype()) == type.dtype &&
             llvm::equal(state.tensor().shape(), type.shape);
    };
    auto state = llvm::find_if(program_.states(), isIt);
    if (state == program_.states().end()) return problem("state '" + escaped(name) + "'", "the program lacks it");
    llvm::Expected<const Content *> held = tensor(state->tensor());
    if (!held) return held.takeError();
    if (!*held || !proof_.isStepSum(**held, proof_.values.value(proof_.graph.output(name))))
      return problem("state '" + escaped(name) + "'",
                     "it is not the sum over the global batch that the graph wants, but " +
                         (*held ? describe(**held, proof_.values, proof_.lists) : std::string("empty")));
    Content whole;
    whole.dtype = type.dtype;
    whole.bytes = type.bytes();
    whole.root = proof_.values.view(proof_.values.value(source).view).root;
    for (int64_t size : type.shape)
      whole.lists.push_back(proof_.lists.whole(size));
    const Content *placed = proof_.store.add(std::move(whole));
    write(state->tensor(), Piece{placed, 0, placed->bytes});
    kept_.push_back({{state->tensor().offset(), placed->bytes, 1}, placed});
  }
  return llvm::Error::success();
}

llvm::Error Coordinate::leave(const plan::Section &section) {
  const std::string coordinate = "tp coordinate " + std::to_string(number_);
  if (section.name() == "batch_statistics") return placed(coordinate + ", " + section.name(), placeStatistics());
  if (section.name() != "micro_step" || proof_.options.gradAccum == 1) return llvm::Error::success();
  if (llvm::Error error = checkKept()) return placed(coordinate + ", at the end of a micro-step", std::move(error));
  HeldFlats flats{*this};
  for (const plan::Parameter &parameter : program_.parameters()) {
    const plan::TensorRef &ref = program_.buckets(int(parameter.bucket())).parameters();
    if (llvm::Error error = checkHolds(parameter, ref, initial(parameter, &Proof::Parameter::root), flats))
      return placed("tp coordinate " + std::to_string(number_) + ", at the end of a micro-step, parameter '" +
                        escaped(parameter.name()) + "'",
                    std::move(error));
  }
  return llvm::Error::success();
}

llvm::Error Coordinate::checkParameter(const plan::Parameter &parameter, HeldFlats &held) {
  if (bytesOf(parameter.tensor()) == 0) return llvm::Error::success();
  const plan::Bucket &bucket = program_.buckets(int(parameter.bucket()));
  const std::string name = "parameter '" + escaped(parameter.name()) + "'";
  for (auto [ref, root] :
       {std::pair(&bucket.parameters(), &Proof::Parameter::root), {&bucket.master(), &Proof::Parameter::master}}) {
    if (ref == &bucket.master() && !bucket.has_master()) continue;
    const Content *updated = proof_.after(initial(parameter, root), Proof::Step::Update);
    if (llvm::Error error = checkHolds(parameter, *ref, updated, held)) return placed(name, std::move(error));
  }
  llvm::Expected<const Flat *> gradients = held.of(bucket.accumulator());
  if (!gradients) return placed(name + ", its gradient", gradients.takeError());
  if (std::string why; !isGradientIn(**gradients, bucket.accumulator(), parameter, why))
    return problem(name, "its gradient is not where the program says: " + why);
  return llvm::Error::success();
}

llvm::Error Coordinate::checkHolds(const plan::Parameter &parameter, const plan::TensorRef &ref, const Content *wanted,
                                   HeldFlats &flats) {
  llvm::Expected<const Flat *> held = flats.of(ref);
  if (!held) return held.takeError();
  std::optional<std::vector<Run>> runs = runsOf(**held, ref, parameter);
  if (!runs) return problem("", "its bucket is not all there");
  for (const Run &run : *runs) {
    uint64_t at = uint64_t(run.begin) * sizeOf(DType(ref.dtype()));
    for (const Piece &piece : run.pieces) {
      if (piece.content != wanted || piece.offset != at)
        return problem("", "its memory holds " + describe(*piece.content, proof_.values, proof_.lists) + ", not " +
                               describe(*wanted, proof_.values, proof_.lists));
      at += piece.bytes;
    }
  }
  return llvm::Error::success();
}

llvm::Error Coordinate::checkOutput(const plan::Output &output) {
  llvm::Expected<const Content *> held = tensor(output.tensor());
  if (!held) return placed("output '" + escaped(output.name()) + "'", held.takeError());
  const bool isRight =
      *held && (output.name() == "loss"           ? (*held)->kind == Content::Kind::Loss
                : output.name() == "grad_norm"    ? (*held)->kind == Content::Kind::Norm
                : output.name() == "grad_divisor" ? proof_.isDivisor(**held)
                : output.name() == "loss_scale"   ? (*held)->kind == Content::Kind::LossScale
                : output.name() == "learning_rate"
                    ? proof_.schedule.holds(*held, proof_.schedule.output(proof_.options.updates->rules[0].rate))
                    : false);
  if (isRight) return llvm::Error::success();
  return problem("", "output '" + escaped(output.name()) + "' is " +
                         (*held ? describe(**held, proof_.values, proof_.lists) : std::string("empty")));
}

} // namespace autotp
