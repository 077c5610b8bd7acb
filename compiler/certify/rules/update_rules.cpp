// compiler/certify/rules/update_rules.cpp: accumulation, the norm, and the update of parameters where they lie in buckets.
#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/rules/squares.h"
#include "compiler/certify/walk/coordinate.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"

namespace autotp {
namespace {

/// {begins, ends}: sorted, apart. Nothing where they are not.
std::optional<std::vector<Interval>> segmentsOf(const plan::KernelCall &call) {
  const plan::Attribute *begins = attributeOf(call, "begins"), *ends = attributeOf(call, "ends");
  std::vector<Interval> all;
  if (!begins || !ends || begins->integers().values_size() != ends->integers().values_size()) return std::nullopt;
  for (int i = 0; i < begins->integers().values_size(); ++i) {
    const Interval next{begins->integers().values(i), ends->integers().values(i)};
    if (next.begin > next.end || next.begin < (all.empty() ? 0 : all.back().end)) return std::nullopt;
    all.push_back(next);
  }
  return all;
}

/// {dp_slice}: how far on each next dp rank's slice begins. Nothing where ranks that have the same would differ.
std::optional<int64_t> strideOf(const plan::KernelCall &call, bool isSliced, int64_t dp) {
  const plan::Attribute *slice = attributeOf(call, "dp_slice");
  if (!slice || slice->value_case() != plan::Attribute::kInteger || (!isSliced && dp > 1 && slice->integer() != 0))
    return std::nullopt;
  return slice->integer();
}

bool isReal(const plan::KernelCall &call, llvm::StringRef name, double wanted) {
  const plan::Attribute *attribute = attributeOf(call, name);
  return attribute && attribute->value_case() == plan::Attribute::kReal && attribute->real() == wanted;
}

} // namespace

llvm::Error Coordinate::accumulate(const plan::KernelCall &call) {
  llvm::Expected<Flat> sums = flat(call.operands(0)), added = flat(call.operands(1));
  if (!sums) return llvm::joinErrors(sums.takeError(), added ? llvm::Error::success() : added.takeError());
  if (!added) return added.takeError();
  for (const Piece &piece : sums->image)
    if (piece.content->kind != Content::Kind::Sums || sums->isSliced)
      return problem("", "it adds to " + describe(*piece.content, proof_.values, proof_.lists) +
                             ", not to sums that are 0 when a step begins");
  if (elementsOf(call.operands(0)) != elementsOf(call.operands(1)) ||
      call.operands(0).offset() != call.results(0).offset())
    return problem("", "it adds to other elements than it writes");
  for (Piece &piece : added->image) {
    const Content *content = proof_.after(piece.content, Proof::Step::Accumulate);
    if (!content) return problem("", "it accumulates " + describe(*piece.content, proof_.values, proof_.lists));
    piece.content = content;
  }
  return writeFlat(call.results(0), *added);
}

llvm::Error Coordinate::sumSquares(const plan::KernelCall &call) {
  llvm::Expected<Flat> gradients = flat(call.operands(0));
  if (!gradients) return gradients.takeError();
  Content squares;
  squares.kind = Content::Kind::Squares;
  squares.isSliced = gradients->isSliced;
  if (llvm::Error error = countGradients(call, *gradients, squares)) return error;
  writeScalar(call.results(0), std::move(squares));
  return llvm::Error::success();
}

namespace {
/// The parts of a window that lie in segments, which count from `shift` before its own elements.
llvm::SmallVector<Interval, 2> within(llvm::ArrayRef<Interval> segments, Interval window, int64_t shift) {
  llvm::SmallVector<Interval, 2> parts;
  for (auto next = llvm::partition_point(segments, [&](const Interval &i) { return i.end <= window.begin + shift; });
       next != segments.end() && next->begin < window.end + shift; ++next)
    parts.push_back({std::max(next->begin - shift, window.begin), std::min(next->end - shift, window.end)});
  return parts;
}
} // namespace

/// Which elements of which gradients a rank's segments are.
llvm::Error Coordinate::countGradients(const plan::KernelCall &call, const Flat &gradients, Content &squares) {
  const plan::TensorRef &ref = call.operands(0);
  std::optional<std::vector<Interval>> segments = segmentsOf(call);
  std::optional<int64_t> stride = strideOf(call, gradients.isSliced, proof_.options.dp);
  if (!segments || !stride) return problem("", "its segments are not sorted, or its slice is not its operand's");
  const int64_t held = elementsOf(ref), ranks = gradients.isSliced ? proof_.options.dp : 1;
  int64_t counted = 0, wanted = 0;
  for (int64_t rank = 0; rank < ranks; ++rank)
    for (const Interval &part : within(*segments, {0, held}, rank * *stride))
      wanted += part.end - part.begin;
  for (const plan::Parameter &parameter : program_.parameters()) {
    const plan::Bucket &bucket = program_.buckets(int(parameter.bucket()));
    const plan::TensorRef &place = bucket.accumulator();
    if (place.offset() != ref.offset() || place.dp_stride() != ref.dp_stride() || elementsOf(place) != held) continue;
    const int64_t begin = int64_t(parameter.bucket_begin()), end = begin + elementsOf(parameter.tensor());
    llvm::SmallVector<Interval, 2> own; // of the parameter's elements
    for (const Window &window : windowsOf(bucket, ref))
      for (int64_t at = 0; at < window.elements; at += held) { // a rank's part of it
        const int64_t rank = (window.inImage + at) / held, first = window.inBucket + at;
        const Interval both{std::max(begin, first), std::min(end, first + held)};
        if (both.begin >= both.end) continue;
        for (const Interval &part : within(*segments, both, rank * *stride - first))
          if (!own.empty() && own.back().end == part.begin - begin)
            own.back().end = part.end - begin;
          else
            own.push_back({part.begin - begin, part.end - begin});
      }
    if (own.empty()) continue;
    std::string why;
    if (!isGradientIn(gradients, ref, parameter, why))
      return problem("", "it counts what is not the gradient of '" + escaped(parameter.name()) + "': " + why);
    const Lists covers = *coversOf(parameter);
    std::vector<Lists> boxes;
    for (const Interval &run : own) {
      counted += run.end - run.begin;
      llvm::append_range(boxes, proof_.lists.boxesOf(proof_.lists.lengths(covers), run));
    }
    for (Lists &box : boxes) {
      for (auto [d, list] : indexed(box))
        list = proof_.lists.select(covers[d], list);
      squares.counted.push_back({proof_.parameters.find(parameter.name())->second.root, std::move(box)});
    }
  }
  return counted == wanted ? llvm::Error::success() : problem("", "it counts elements that are no parameter's");
}

void Coordinate::writeScalar(const plan::TensorRef &ref, Content content) {
  content.dtype = DType(ref.dtype());
  content.bytes = bytesOf(ref);
  write(ref, Piece{proof_.store.add(std::move(content)), 0, bytesOf(ref)});
}

llvm::Error Coordinate::addSquares(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads) {
  Content sum;
  sum.kind = Content::Kind::Squares;
  for (int k : {0, 1}) {
    const Content *content = reads[size_t(k)].content;
    if (!content || content->kind != Content::Kind::Squares || content->isComplete)
      return problem("", "it adds something else to a rank's sum of squares");
    sum.addends[k] = content;
  }
  writeScalar(call.results(0), std::move(sum));
  return llvm::Error::success();
}

llvm::Error Coordinate::gradScale(const plan::KernelCall &call) {
  llvm::Expected<const Content *> squares = tensor(call.operands(0)), divisor = tensor(call.operands(1));
  if (!squares) return llvm::joinErrors(squares.takeError(), divisor ? llvm::Error::success() : divisor.takeError());
  if (!divisor) return divisor.takeError();
  std::string why = "it is " + (*squares ? describe(**squares, proof_.values, proof_.lists) : std::string("empty"));
  bool isNorm = *squares && (*squares)->kind == Content::Kind::Squares;
  if (isNorm && !(*squares)->isComplete)
    isNorm = proof_.options.tp == 1 && countEachOnce(proof_, *squares, /*overDp=*/false, why);
  if (!isNorm) return problem("", "its first operand is not the norm of all gradients: " + why);
  if (!*divisor || !proof_.isDivisor(**divisor))
    return problem("", "it does not divide by the count of the whole batch (times the loss scale), but by " +
                           (*divisor ? describe(**divisor, proof_.values, proof_.lists) : std::string("nothing")));
  if (!isReal(call, "max_norm", proof_.options.updates->clipGradNorm))
    return problem("", "it clips to another norm than was asked for");
  for (auto [j, kind] : {std::pair(0, Content::Kind::Scale), {1, Content::Kind::Norm}}) {
    Content scalar;
    scalar.kind = kind;
    writeScalar(call.results(j), std::move(scalar));
  }
  return llvm::Error::success();
}

llvm::Error Coordinate::meanLoss(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads) {
  const Content *sum = reads[0].content, *count = reads[1].content;
  if (!sum || !count || !proof_.isStepSum(*sum, proof_.lossSum) || !proof_.isStepSum(*count, proof_.count))
    return problem("", "it is not the sum of all losses over their count");
  Content loss;
  loss.kind = Content::Kind::Loss;
  writeScalar(call.results(0), std::move(loss));
  return llvm::Error::success();
}

llvm::Error Coordinate::scheduleCall(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads) {
  llvm::SmallVector<const Content *, 4> operands;
  for (const OperandRead &read : reads)
    operands.push_back(read.content);
  std::optional<ValueId> value = proof_.schedule.resultOf(call, operands);
  if (!value) return problem("", "the schedule does not compute this");
  const Type &type = proof_.schedule.type(*value);
  Content scalar;
  scalar.kind = Content::Kind::Scalar;
  scalar.scalar = *value;
  const plan::TensorRef &ref = call.results(0);
  if (DType(ref.dtype()) != type.dtype || bytesOf(ref) != type.bytes())
    return problem("", "its result is not as large as what it computes");
  writeScalar(ref, std::move(scalar));
  return llvm::Error::success();
}

/// (parameters, states.., gradients, scale, rate, count) -> (parameters, states..), by the rule of those parameters.
llvm::Error Coordinate::update(const plan::KernelCall &call) {
  const int states = call.results_size() - 1, gradientAt = states + 1;
  llvm::Expected<Flat> parameters = flat(call.operands(0));
  if (!parameters) return parameters.takeError();
  llvm::Expected<Flat> gradients = flat(call.operands(gradientAt));
  if (!gradients) return gradients.takeError();
  if (parameters->isSliced != gradients->isSliced ||
      elementsOf(call.operands(0)) != elementsOf(call.operands(gradientAt)))
    return problem("", "its parameters and gradients are not the same slices");
  Flat updated{{}, parameters->isSliced};
  const UpdateRule *rule = nullptr;
  if (llvm::Error error = updateImage(call, *parameters, *gradients, updated.image, rule)) return error;
  if (rule) // else a rank's slice is all padding, which nobody reads
    if (llvm::Error error = checkRule(call, *rule)) return error;
  for (int k = 1; k <= states; ++k) {
    const std::optional<float> initial = rule ? std::optional<float>(rule->initial[size_t(k) - 1]) : std::nullopt;
    if (llvm::Error error = updateState(call, k, initial)) return error;
  }
  return writeFlat(call.results(0), updated);
}

/// The operator, its numbers and its scalars.
llvm::Error Coordinate::checkRule(const plan::KernelCall &call, const UpdateRule &rule) {
  const int states = int(rule.initial.size());
  const OpDef *row = GlobalValues::rowOf(KernelId(call.kernel()));
  if (!row || row->name != rule.op || call.results_size() != states + 1 || call.operands_size() != states + 5)
    return problem("", "it is another update than was asked for");
  std::string why;
  auto isPlace = [](llvm::StringRef name) { return name == "begins" || name == "ends" || name == "dp_slice"; };
  if (!attributesAgree(call, rule.attributes, isPlace, why))
    return problem("", "it updates at another rate than was asked for: " + why);
  llvm::Expected<const Content *> scale = tensor(call.operands(states + 2));
  if (!scale) return scale.takeError();
  if (!*scale || (*scale)->kind != (proof_.options.lossScale ? Content::Kind::ScaleOrSkip : Content::Kind::Scale))
    return problem("", "what it scales gradients with is " +
                           (*scale ? describe(**scale, proof_.values, proof_.lists) : std::string("empty")));
  for (auto [k, name] : {std::pair(states + 3, &rule.rate), {states + 4, &rule.count}}) {
    llvm::Expected<const Content *> scalar = tensor(call.operands(k));
    if (!scalar) return scalar.takeError();
    if (!proof_.schedule.holds(*scalar, proof_.schedule.output(*name)))
      return problem("", llvm::formatv("operand {0} is {1}, not this rule's", k,
                                       *scalar ? describe(**scalar, proof_.values, proof_.lists) : "empty")
                             .str());
  }
  return llvm::Error::success();
}

/// State `k` is this update's own, and began as the rule says, if one does.
llvm::Error Coordinate::updateState(const plan::KernelCall &call, int k, std::optional<float> initial) {
  const plan::TensorRef &ref = call.operands(k);
  llvm::Expected<Flat> state = flat(ref);
  if (!state) return state.takeError();
  for (const Piece &piece : state->image)
    if (piece.content->kind != Content::Kind::State || elementsOf(ref) != elementsOf(call.operands(0)))
      return problem("", "operand " + std::to_string(k) + " is " +
                             describe(*piece.content, proof_.values, proof_.lists) + ", not this update's own state");
  float begins = 0;
  for (auto &[given, isFound] : initial_) {
    const plan::TensorRef &at = given->tensor();
    const uint64_t bytes = uint64_t(elementsOf(at)) * sizeOf(DType(at.dtype()));
    if (at.offset() >= ref.offset() + uint64_t(elementsOf(ref)) * sizeof(float) || ref.offset() >= at.offset() + bytes)
      continue;
    if (at.SerializeAsString() != ref.SerializeAsString() || given->data().size() != sizeof(float) || isFound)
      return problem("", "state '" + escaped(given->name()) + "' lies over operand " + std::to_string(k));
    std::memcpy(&begins, given->data().data(), sizeof(float));
    isFound = true;
  }
  if (initial && begins != *initial)
    return problem("", "operand " + std::to_string(k) + " does not begin as the rule says");
  Content next;
  next.kind = Content::Kind::NewState;
  std::optional<ByteRange> range = rangeOf(call.results(k));
  next.bytes = range->allBytes();
  const Content *left = proof_.store.add(std::move(next));
  arena_.write(*range, Piece{left, 0, left->bytes});
  kept_.push_back({*range, left});
  return llvm::Error::success();
}

llvm::Error Coordinate::updateImage(const plan::KernelCall &call, const Flat &parameters, const Flat &gradients,
                                    std::vector<Piece> &updated, const UpdateRule *&rule) {
  std::optional<std::vector<Interval>> decays = segmentsOf(call);
  std::optional<int64_t> stride = strideOf(call, parameters.isSliced, proof_.options.dp);
  if (!decays || !stride) return problem("", "the segments that decay are not sorted, or not its slice's");
  const ByteRange range = *rangeOf(call.operands(0));
  uint64_t at = 0, gradientAt = 0;
  size_t g = 0;
  for (const Piece &whole : parameters.image)
    for (uint64_t done = 0; done < whole.bytes;) {
      if (g == gradients.image.size()) return problem("", "it has fewer gradients than parameters");
      const Piece &gradient = gradients.image[g];
      const uint64_t rank = at / range.bytes, onRank = at % range.bytes;
      const uint64_t bytes = std::min({whole.bytes - done, gradient.bytes - gradientAt, range.bytes - onRank});
      Piece own{whole.content, whole.offset + done, bytes};
      llvm::Expected<Piece> next = updatedPiece(own, {gradient.content, gradient.offset + gradientAt, bytes});
      if (!next) return next.takeError();
      const int64_t begin = int64_t(rank) * *stride + int64_t(onRank / sizeof(float));
      if (llvm::Error error = checkDecay(*decays, own, begin, begin + int64_t(bytes / sizeof(float)))) return error;
      if (const Proof::Parameter *row = proof_.parameterOf.lookup(own.content->root);
          own.content->kind == Content::Kind::Value && row) {
        const UpdateRule *wanted = &proof_.options.updates->rules[row->update.rule];
        if (rule && rule != wanted) return problem("", "it updates parameters of different rules alike");
        rule = wanted;
      }
      if (next->content->kind == Content::Kind::State && parameters.isSliced == range.isSliced())
        kept_.push_back({{range.offsetOn(int64_t(rank)) + onRank, bytes, 1, 0}, next->content}); // padding stays
      append(updated, *next);
      at += bytes;
      done += bytes;
      gradientAt += bytes;
      if (gradientAt < gradient.bytes) continue;
      gradientAt = 0;
      ++g;
    }
  return llvm::Error::success();
}

llvm::Expected<Piece> Coordinate::updatedPiece(const Piece &parameter, const Piece &gradient) {
  const Content &own = *parameter.content;
  if (own.kind == Content::Kind::State && gradient.content->isZero()) return parameter; // 0 stays 0
  const Proof::Parameter *row = own.kind == Content::Kind::Value ? proof_.parameterOf.lookup(own.root) : nullptr;
  if (!row || own.isUpdated)
    return problem("", "it updates " + describe(own, proof_.values, proof_.lists) + ", no parameter of this step");
  std::string why;
  const bool isSamePart = parameter.offset == gradient.offset && own.bytes == gradient.content->bytes;
  if (isSamePart && proof_.isGradient(*gradient.content, *row, own.lists, why))
    return Piece{proof_.after(&own, Proof::Step::Update), parameter.offset, parameter.bytes};
  if (!proof_.isGradient(gradient, *row, parameter, why))
    return problem(
        "", "it updates " + describe(own, proof_.values, proof_.lists) +
                " with what is not all of its own gradient: " + (why.empty() ? std::string("it lies elsewhere") : why));
  return Piece{proof_.after(&own, Proof::Step::Update), parameter.offset, parameter.bytes};
}

llvm::Error Coordinate::checkDecay(llvm::ArrayRef<Interval> decays, const Piece &piece, int64_t begin,
                                   int64_t end) const {
  const Proof::Parameter *row = proof_.parameterOf.lookup(piece.content->root);
  if (piece.content->kind != Content::Kind::Value || !row) return llvm::Error::success(); // padding
  int64_t decaying = 0;
  for (auto next = llvm::partition_point(decays, [&](const Interval &i) { return i.end <= begin; });
       next != decays.end() && next->begin < end; ++next)
    decaying += std::min(next->end, end) - std::max(next->begin, begin);
  const int64_t wanted = row->update.decays ? end - begin : 0;
  if (decaying == wanted) return llvm::Error::success();
  return problem("", llvm::formatv("{0} of {1} elements of {2} decay, not {3}", decaying, end - begin,
                                   describe(*piece.content, proof_.values, proof_.lists), wanted)
                         .str());
}

} // namespace autotp
