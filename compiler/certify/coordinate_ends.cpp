// compiler/certify/coordinate_ends.cpp: what a step of training begins with, and what it must leave behind.
#include "compiler/certify/coordinate.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"

#include "llvm/ADT/StringExtras.h"

#include <set>

namespace autotp {
namespace {

uint64_t bytesOf(const plan::TensorRef &ref) {
  return uint64_t(std::max<int64_t>(0, elementsOf(ref))) * sizeOf(DType(ref.dtype()));
}

/// The runtime leaves these as they are when it loads a program, and sets everything else to 0.
bool isScratch(const plan::Region &region) { return region.name() == "activations" || region.name() == "workspace"; }

bool isSlice(const plan::Bucket &bucket, const plan::TensorRef &ref) { return elementsOf(ref) != bucket.elements(); }

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
  }
  for (int bucket = 0; bucket < program_.buckets_size(); ++bucket)
    if (llvm::Error error = placeBucket(bucket)) return error;
  for (const auto &row : proof_.parameters)
    if (!known.count(row.first().str()))
      return problem("parameter '" + escaped(row.first()) + "'", "the program has no part of it");
  for (const plan::Constant &constant : program_.constants()) {
    Content content;
    content.kind = Content::Kind::Constant;
    content.dtype = DType(constant.tensor().dtype());
    content.bytes = bytesOf(constant.tensor());
    content.data = {constant.data().data(), constant.data().size()};
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
  IndexLists &lists = proof_.lists;
  Lists covers;
  for (auto [d, cover] : indexed(parameter.covers())) {
    llvm::SmallVector<Interval, 4> held;
    for (int i = 0; i < cover.begins_size(); ++i)
      held.push_back({cover.begins(i), cover.ends(i)});
    covers.push_back(lists.of(held));
    if (lists.length(covers.back()) != parameter.tensor().shape(int(d))) return std::nullopt;
  }
  return covers;
}

/// What memory holds of a parameter when a step begins; null where its tensor has no elements.
llvm::Expected<const Content *> Coordinate::initial(const plan::Parameter &parameter) {
  auto row = proof_.parameters.find(parameter.name());
  std::optional<Lists> covers = coversOf(parameter);
  if (row == proof_.parameters.end() || !covers || DType(parameter.tensor().dtype()) != row->second.type.dtype ||
      !llvm::equal(parameter.global_shape(), row->second.type.shape))
    return problem("parameter '" + escaped(parameter.name()) + "'", "it is not the graph's");
  Content content;
  content.dtype = row->second.type.dtype;
  content.root = row->second.root;
  content.lists = std::move(*covers);
  content.bytes = bytesOf(parameter.tensor());
  for (auto [d, list] : indexed(content.lists)) {
    const Moves::Hint hint{row->second.type.shape[d], list};
    if (!proof_.lists.isWhole(list, hint.size) && !llvm::is_contained(hints_, hint)) hints_.push_back(hint);
  }
  return content.bytes == 0 ? nullptr : proof_.parameterContent(std::move(content));
}

/// A bucket's parameters, one after the other, with what the step before left between them.
llvm::Error Coordinate::placeBucket(int number) {
  const plan::TensorRef &ref = program_.buckets(number).parameters();
  Content padding;
  padding.kind = Content::Kind::State;
  padding.dtype = DType(ref.dtype());
  padding.bytes = uint64_t(program_.buckets(number).elements()) * sizeOf(padding.dtype);
  const Content *all = proof_.store.add(std::move(padding));
  Flat flat{{Piece{all, 0, all->bytes}}, isSlice(program_.buckets(number), ref)};
  for (const plan::Parameter &parameter : program_.parameters()) {
    if (parameter.bucket() != uint32_t(number)) continue;
    llvm::Expected<const Content *> content = initial(parameter);
    if (!content) return content.takeError();
    if (!*content) continue;
    const uint64_t begin = parameter.bucket_begin() * sizeOf(DType(ref.dtype())), end = begin + (*content)->bytes;
    std::vector<Piece> next = sub(flat.image, 0, begin), after = sub(flat.image, end, all->bytes - end);
    const std::vector<Piece> free = sub(flat.image, begin, (*content)->bytes);
    if (free.size() != 1 || free[0].content != all)
      return problem("parameter '" + escaped(parameter.name()) + "'", "it lies over another one in its bucket");
    next.push_back({*content, 0, (*content)->bytes});
    next.insert(next.end(), after.begin(), after.end());
    flat.image = std::move(next);
  }
  return writeFlat(ref, flat);
}

llvm::Error Coordinate::placeInput(const plan::Input &input) {
  Content content;
  content.dtype = DType(input.tensor().dtype());
  content.bytes = bytesOf(input.tensor());
  if (input.kind() != plan::STEP && input.kind() != plan::LEARNING_RATE) {
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
    if (!proof_.schedule.holds(*held, proof_.schedule.next(*proof_.schedule.source(ValueKind::State, name))))
      return problem("", "state '" + escaped(state.name()) + "' does not hold what the next step begins with");
  }
  return llvm::Error::success();
}

llvm::Error Coordinate::finish() {
  const std::string where = "tp coordinate " + std::to_string(number_) + ", at the end of a step";
  for (const plan::Parameter &parameter : program_.parameters())
    if (llvm::Error error = checkParameter(parameter)) return placed(where, std::move(error));
  for (const auto &[range, content] : kept_) {
    std::vector<Piece> held;
    std::string why;
    if (!arena_.read(range, held, why) || (range.bytes && (held.size() != 1 || held[0].content != content)))
      return problem(where, "bytes from " + std::to_string(range.offset) + " no longer hold " +
                                describe(*content, proof_.values, proof_.lists));
  }
  if (llvm::Error error = checkStates()) return placed(where, std::move(error));
  bool hasLoss = false;
  for (const plan::Output &output : program_.outputs()) {
    if (llvm::Error error = checkOutput(output)) return placed(where, std::move(error));
    hasLoss |= output.name() == "loss";
  }
  if (!hasLoss) return problem(where, "the program yields no loss");
  return llvm::Error::success();
}

/// The elements of a parameter in one of its bucket's tensors, in which all dp ranks together have the whole bucket.
llvm::Expected<const Content *> Coordinate::inBucket(const plan::Parameter &parameter, const plan::TensorRef &ref) {
  const plan::Bucket &bucket = program_.buckets(int(parameter.bucket()));
  llvm::Expected<Flat> held = flat(ref);
  if (!held) return held.takeError();
  const uint64_t size = sizeOf(DType(ref.dtype()));
  uint64_t bytes = 0;
  for (const Piece &piece : held->image)
    bytes += piece.bytes;
  if (bytes != uint64_t(bucket.elements()) * size || held->isSliced != isSlice(bucket, ref))
    return problem("", "its bucket is not all there");
  std::vector<Piece> own =
      sub(held->image, parameter.bucket_begin() * size, uint64_t(elementsOf(parameter.tensor())) * size);
  const Content *content = proof_.together(own);
  if (!content) return problem("", "its place in the bucket holds no part of one value");
  return content;
}

llvm::Error Coordinate::checkParameter(const plan::Parameter &parameter) {
  if (bytesOf(parameter.tensor()) == 0) return llvm::Error::success();
  const Proof::Parameter &row = proof_.parameters.find(parameter.name())->second;
  const plan::Bucket &bucket = program_.buckets(int(parameter.bucket()));
  const std::string name = "parameter '" + escaped(parameter.name()) + "': ";
  llvm::Expected<const Content *> held = inBucket(parameter, bucket.parameters());
  if (!held) return placed(name, held.takeError());
  std::optional<Lists> covers = coversOf(parameter);
  if ((*held)->kind != Content::Kind::Value || (*held)->root != row.root || (*held)->lists != *covers ||
      !(*held)->isUpdated)
    return problem("", name + "its memory holds " + describe(**held, proof_.values, proof_.lists) +
                           ", not its updated elements");
  llvm::Expected<Flat> gradients = flat(bucket.accumulator());
  if (!gradients) return placed(name + "its gradient", gradients.takeError());
  if (std::string why; !isGradientIn(*gradients, bucket.accumulator(), parameter, why))
    return problem("", name + "its gradient is not where the program says: " + why);
  return llvm::Error::success();
}

llvm::Error Coordinate::checkOutput(const plan::Output &output) {
  llvm::Expected<const Content *> held = tensor(output.tensor());
  if (!held) return placed("output '" + escaped(output.name()) + "'", held.takeError());
  const bool isRight =
      *held && (output.name() == "loss"           ? (*held)->kind == Content::Kind::Loss
                : output.name() == "grad_norm"    ? (*held)->kind == Content::Kind::Norm
                : output.name() == "grad_divisor" ? proof_.isStepSum(**held, proof_.count)
                : output.name() == "learning_rate"
                    ? proof_.schedule.holds(*held, proof_.schedule.output(proof_.options.updates->rules[0].rate))
                    : false);
  if (isRight) return llvm::Error::success();
  return problem("", "output '" + escaped(output.name()) + "' is " +
                         (*held ? describe(**held, proof_.values, proof_.lists) : std::string("empty")));
}

} // namespace autotp
