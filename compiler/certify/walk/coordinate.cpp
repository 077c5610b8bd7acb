#include "compiler/certify/walk/coordinate.h"

#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/operators/fused_call.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"

namespace autotp {
namespace {

Sizes shapeOf(const plan::TensorRef &ref) { return {ref.shape().begin(), ref.shape().end()}; }

int64_t outerElements(const plan::TensorRef &ref, int64_t axis) {
  int64_t n = 1;
  for (int d = 0; d < int(axis) && d < ref.shape_size(); ++d)
    n *= ref.shape(d);
  return n;
}

/// On some dp rank.
bool overlap(const ByteRange &a, const ByteRange &b) {
  for (int64_t rank = 0; rank < std::max(a.ranks, b.ranks) && a.bytes && b.bytes; ++rank)
    if (a.offsetOn(rank) < b.offsetOn(rank) + b.bytes && b.offsetOn(rank) < a.offsetOn(rank) + a.bytes) return true;
  return false;
}
bool isSame(const ByteRange &a, const ByteRange &b) { return a.bytes == b.bytes && a.isWithin(b); }

} // namespace

uint64_t bytesOf(const plan::TensorRef &ref) {
  return uint64_t(std::max<int64_t>(0, elementsOf(ref))) * sizeOf(DType(ref.dtype()));
}

llvm::Error Coordinate::at(const plan::Step &step, llvm::Error error) const {
  return placed(llvm::formatv("tp coordinate {0}, {1}, step '{2}' (from {3})", number_, section_, escaped(step.name()),
                              escaped(step.origin()))
                    .str(),
                std::move(error));
}

std::optional<ByteRange> Coordinate::rangeOf(const plan::TensorRef &ref) const {
  ByteRange range{ref.offset(), bytesOf(ref), 1, 0};
  if (ref.dp_stride() == 0 || proof_.options.dp == 1 || range.bytes == 0) return range;
  if (ref.dp_stride() < range.bytes) return std::nullopt;
  range.ranks = proof_.options.dp;
  range.stride = ref.dp_stride();
  return range;
}

llvm::Expected<std::vector<Piece>> Coordinate::pieces(const plan::TensorRef &ref) {
  std::optional<ByteRange> range = rangeOf(ref);
  if (!range || range->isSliced()) return problem("", "an operand that should be whole is a slice over dp");
  std::vector<Piece> held;
  std::string why;
  if (!arena_.read(*range, held, why)) return problem("", why);
  if (llvm::Error error = checkDType(ref, held)) return error;
  return held;
}

/// What is read as another dtype than it was computed in is another number.
llvm::Error Coordinate::checkDType(const plan::TensorRef &ref, llvm::ArrayRef<Piece> pieces) {
  for (const Piece &piece : pieces)
    if (piece.content->kind == Content::Kind::Value && piece.content->dtype != DType(ref.dtype()))
      return problem("", "an operand holds bytes of another dtype");
  return llvm::Error::success();
}

llvm::Expected<const Content *> Coordinate::tensor(const plan::TensorRef &ref) {
  if (bytesOf(ref) == 0) return nullptr;
  llvm::Expected<std::vector<Piece>> held = pieces(ref);
  if (!held) return held.takeError();
  for (const Piece &piece : *held)
    if (piece.content->dtype != DType(ref.dtype())) return problem("", "an operand holds bytes of another dtype");
  if (const Content *all = proof_.together(*held)) return proof_.settled(all);
  std::string text;
  constexpr size_t kShown = 4;
  for (const Piece &piece : llvm::ArrayRef<Piece>(*held).take_front(kShown))
    text += (text.empty() ? "" : " and then ") + describe(*piece.content, proof_.values, proof_.lists);
  return problem("", "an operand holds " + text + ", which is no part of one value");
}

void Coordinate::write(const plan::TensorRef &ref, llvm::ArrayRef<Piece> held) {
  const int64_t dp = proof_.options.dp;
  if (ref.dp_stride() == 0 || dp == 1) return arena_.write({ref.offset(), bytesOf(ref), 1, 0}, held);
  for (int64_t rank = 0; rank < dp; ++rank)
    arena_.forget(ref.offset() + uint64_t(rank) * ref.dp_stride(), bytesOf(ref));
}

/// Where a kernel may have a result in an operand's memory, both of which overlap.
bool Coordinate::mayShare(const plan::KernelCall &call, int j, int k) const {
  const OpDef *row = GlobalValues::rowOf(KernelId(call.kernel()));
  std::optional<ByteRange> result = rangeOf(call.results(j)), operand = rangeOf(call.operands(k));
  if (!row || !result || !operand) return false;
  if (KernelId(call.kernel()) == KernelId::Concat && outerElements(call.results(0), integerOf(call, "axis", 0)) == 1) {
    uint64_t at = call.results(0).offset(); // an operand at its own place is not copied, so others may be read there
    for (const plan::TensorRef &ref : call.operands()) {
      const bool isInIt = operand->offset >= at && operand->offset + operand->bytes <= at + bytesOf(ref);
      if (ref.offset() == at && isInIt && !operand->isSliced()) return true;
      at += bytesOf(ref);
    }
    return false;
  }
  if (!isSame(*result, *operand)) return false;
  return (j < 3 && row->inPlace[size_t(j)] == k) || (row->mayReuse && j == 0 && k == 0);
}

/// A member's own part of what is scattered or gathered may lie at its place there.
llvm::Error Coordinate::checkOverlap(const plan::Collective &c) const {
  std::optional<ByteRange> in = rangeOf(c.operand()), out = rangeOf(c.result());
  if (!in || !out) return problem("", "the slices of the dp ranks lie over each other");
  const bool gathers = c.kind() == plan::ALL_GATHER, scatters = c.kind() == plan::REDUCE_SCATTER_SUM;
  if (c.counts_size() && (gathers || scatters))
    for (auto [i, member] : indexed(program_.groups(int(c.group())).coordinates()))
      if (program_.groups(int(c.group())).axis() != plan::TP || member == uint32_t(number_))
        if (c.counts(int(i)) != elementsOf(gathers ? c.operand() : c.result()))
          return problem("", "its own part is not as large as its group says");
  if (!overlap(*in, *out) || (isSame(*in, *out) && !gathers && !scatters)) return llvm::Error::success();
  const ByteRange &part = gathers ? *in : *out, &whole = gathers ? *out : *in;
  if ((gathers || scatters) && part.offset == placeInGroup(c, whole, part)) return llvm::Error::success();
  return problem("", "its result lies over its operand");
}

/// Where a member's part begins in the whole.
uint64_t Coordinate::placeInGroup(const plan::Collective &c, const ByteRange &whole, const ByteRange &part) const {
  const plan::MeshAxis axis = program_.groups(int(c.group())).axis();
  const uint64_t dp = uint64_t(proof_.options.dp), tp = uint64_t(proof_.options.tp);
  if (axis == plan::DP)
    return part.isSliced() && part.stride == part.bytes && part.bytes * dp == whole.bytes ? whole.offset : ~uint64_t(0);
  if (axis == plan::WORLD) // a rank is dp_rank * tp + tp_rank
    return part.bytes * tp * dp == whole.bytes && (dp == 1 || part.stride == tp * part.bytes)
               ? whole.offset + uint64_t(number_) * part.bytes
               : ~uint64_t(0);
  if (part.isSliced()) return ~uint64_t(0);
  uint64_t at = whole.offset;
  for (auto [i, member] : indexed(program_.groups(int(c.group())).coordinates())) {
    if (member == uint32_t(number_)) return at;
    at += c.counts_size() ? uint64_t(c.counts(int(i))) * sizeOf(DType(c.operand().dtype())) : part.bytes;
  }
  return ~uint64_t(0);
}

llvm::Error Coordinate::checkOverlaps(const plan::Step &step) const {
  if (step.has_collective()) return checkOverlap(step.collective());
  const plan::KernelCall &call = step.kernel();
  const ByteRange workspace{call.workspace_offset(), call.workspace_bytes(), 1, 0};
  for (int j = 0; j < call.results_size(); ++j) {
    std::optional<ByteRange> result = rangeOf(call.results(j));
    if (!result) return problem("", "the slices of the dp ranks lie over each other");
    if (overlap(*result, workspace)) return problem("", "a result lies in its workspace");
    for (int other = 0; other < j; ++other)
      if (overlap(*result, *rangeOf(call.results(other)))) return problem("", "two of its results overlap");
    for (int k = 0; k < call.operands_size(); ++k)
      if (std::optional<ByteRange> operand = rangeOf(call.operands(k));
          operand && overlap(*result, *operand) && !mayShare(call, j, k))
        return problem("", "a result lies over an operand that the kernel still reads");
  }
  for (const plan::TensorRef &ref : call.operands())
    if (std::optional<ByteRange> operand = rangeOf(ref); !operand || overlap(*operand, workspace))
      return problem("", "an operand lies in its workspace");
  return llvm::Error::success();
}

llvm::Error Coordinate::enter(const plan::Section &section) {
  section_ = section.name();
  const bool isMicroStep = section_ != "optimizer_step";
  for (const plan::Input &input : program_.inputs())
    if ((input.kind() == plan::FEED || input.kind() == plan::RANDOM_COUNTER) == isMicroStep)
      if (llvm::Error error = placeInput(input)) return error;
  return llvm::Error::success();
}

llvm::Error Coordinate::execute(const plan::Step &step) {
  if (llvm::Error error = checkOverlaps(step)) return at(step, std::move(error));
  if (step.has_collective()) {
    llvm::Error error = collectiveOverDp(step.collective());
    return error ? at(step, std::move(error)) : llvm::Error::success();
  }
  const plan::KernelCall &call = step.kernel();
  for (int i = 0; i < call.attributes_size(); ++i)
    for (int j = 0; j < i; ++j)
      if (call.attributes(i).name() == call.attributes(j).name())
        return at(step, problem("", "it has an attribute twice"));
  arena_.forget(call.workspace_offset(), call.workspace_bytes());
  proof_.moves.useHints(hints_);
  llvm::Error error = executeKernel(call);
  return error ? at(step, std::move(error)) : llvm::Error::success();
}

llvm::Error Coordinate::executeKernel(const plan::KernelCall &call) {
  switch (KernelId(call.kernel())) {
  case KernelId::Accumulate:
    return accumulate(call);
  case KernelId::SumSquares:
    return sumSquares(call);
  case KernelId::GradScale:
    return gradScale(call);
  case KernelId::LossScale:
    return decideStep(call);
  case KernelId::Cast:
    return isMaster(call.operands(0)) ? roundMasters(call) : operatorCall(call);
  case KernelId::Adam:
  case KernelId::Adagrad:
  case KernelId::Momentum:
  case KernelId::Sgd:
    return update(call);
  default:
    return operatorCall(call);
  }
}

llvm::Error Coordinate::operatorCall(const plan::KernelCall &call) {
  std::vector<OperandRead> reads;
  const int64_t axis = integerOf(call, "axis", 0);
  const KernelId kernel = KernelId(call.kernel());
  const bool isMove = kernel == KernelId::Concat || (kernel == KernelId::Slice && integerOf(call, "step", 1) == 1);
  const bool isOuter = isMove && call.results_size() == 1 && outerElements(call.results(0), axis) == 1;
  if (kernel == KernelId::Concat || kernel == KernelId::Slice || kernel == KernelId::Copy)
    if (llvm::Error error = checkMovedShapes(call, axis)) return error;
  if (isOuter || kernel == KernelId::Copy) return moveBytes(call, axis);
  for (const plan::TensorRef &ref : call.operands()) {
    llvm::Expected<const Content *> content = tensor(ref);
    if (!content) return content.takeError();
    reads.push_back({*content, shapeOf(ref), DType(ref.dtype())});
  }
  if (ScalarRule rule = scalarRule(kernel, reads)) return (this->*rule)(call, reads);
  if (llvm::all_of(call.results(), [](const plan::TensorRef &ref) { return bytesOf(ref) == 0; }))
    return llvm::Error::success();
  const OpDef *row = GlobalValues::rowOf(kernel);
  auto compute = [this](const plan::KernelCall &c, llvm::ArrayRef<OperandRead> r) {
    auto made = computed(c, r);
    if (made) (*made)[0] = proof_.settled((*made)[0]);
    return made;
  };
  auto results = row && !row->steps.empty() ? proveFused(*row, call, reads, compute) : computed(call, reads);
  if (!results) return results.takeError();
  for (const auto &[j, content] : indexed(*results)) {
    const plan::TensorRef &ref = call.results(int(j));
    if (bytesOf(ref) == 0) continue;
    if (!content) return problem("", "it is no part of the graph: what its result holds does not follow");
    if (!content->isZero() && (content->bytes != bytesOf(ref) || content->dtype != DType(ref.dtype())))
      return problem("", "its result is not as large as what it computes");
    write(ref, Piece{content, 0, bytesOf(ref)});
  }
  return llvm::Error::success();
}

/// Null where a call is none of them.
Coordinate::ScalarRule Coordinate::scalarRule(KernelId kernel, llvm::ArrayRef<OperandRead> reads) {
  const Content *first = reads.empty() ? nullptr : reads[0].content;
  auto isScalar = [](const OperandRead &read) { return read.content && read.content->kind == Content::Kind::Scalar; };
  if (first && first->kind == Content::Kind::IsSkipped && kernel == KernelId::Where)
    return &Coordinate::keepWhereSkipped;
  if (llvm::any_of(reads, isScalar)) return &Coordinate::scheduleCall;
  if (!first) return nullptr;
  if (first->kind == Content::Kind::Squares && kernel == KernelId::Add) return &Coordinate::addSquares;
  if (first->kind == Content::Kind::ScaleOrSkip && kernel == KernelId::IsNan) return &Coordinate::askWhetherSkipped;
  if (first->isAccumulated && kernel == KernelId::Div) return &Coordinate::meanLoss;
  if (first->isAccumulated && kernel == KernelId::Mul) return &Coordinate::scaleDivisor;
  return nullptr;
}

llvm::Expected<std::vector<const Content *>> Coordinate::computed(const plan::KernelCall &call,
                                                                  llvm::ArrayRef<OperandRead> reads) {
  std::string why;
  std::vector<const Content *> results = proof_.nodes.prove(call, reads, why);
  if (!results.empty()) return results;
  const Content *content = moved(call, reads);
  if (!content) return problem("", "it is no part of the graph: " + why);
  return std::vector<const Content *>(size_t(call.results_size()), content);
}

/// Operands and result are alike but for the dimension that is joined or cut.
llvm::Error Coordinate::checkMovedShapes(const plan::KernelCall &call, int64_t axis) {
  const bool isCopy = KernelId(call.kernel()) == KernelId::Copy;
  if (call.results_size() != 1) return problem("", "it has not one result");
  const plan::TensorRef &result = call.results(0);
  for (const plan::TensorRef &ref : call.operands()) {
    if (ref.shape_size() != result.shape_size() || (!isCopy && (axis < 0 || axis >= result.shape_size())))
      return problem("", "it joins or cuts a dimension that is not there");
    for (int d = 0; d < ref.shape_size(); ++d)
      if (ref.shape(d) != result.shape(d) && (isCopy || d != axis))
        return problem("", "its operand is of another shape than its result");
  }
  return llvm::Error::success();
}

/// A concat or slice of the outermost dimension: bytes one after the other.
llvm::Error Coordinate::moveBytes(const plan::KernelCall &call, int64_t axis) {
  std::vector<Piece> moved;
  const plan::TensorRef &result = call.results(0);
  uint64_t bytes = 0, before = 0;
  for (const plan::TensorRef &ref : call.operands()) {
    if (KernelId(call.kernel()) == KernelId::Slice) joinGradients(ref);
    llvm::Expected<std::vector<Piece>> held = pieces(ref);
    if (!held) return held.takeError();
    moved.insert(moved.end(), held->begin(), held->end());
    bytes += bytesOf(ref);
    if (ref.dtype() != result.dtype()) return problem("", "its operand is of another dtype");
  }
  if (KernelId(call.kernel()) == KernelId::Slice) {
    uint64_t inner = sizeOf(DType(result.dtype()));
    for (int d = int(axis) + 1; d < result.shape_size(); ++d)
      inner *= uint64_t(result.shape(d));
    before = uint64_t(integerOf(call, "start", 0)) * inner;
    if (before + bytesOf(result) > bytes) return problem("", "it takes elements that are not there");
    moved = sub(moved, before, bytesOf(result));
  } else if (bytes != bytesOf(result)) {
    return problem("", "its result is not as large as its operands");
  }
  write(result, moved);
  return llvm::Error::success();
}

std::vector<Piece> Coordinate::sub(llvm::ArrayRef<Piece> pieces, uint64_t begin, uint64_t bytes) {
  std::vector<Piece> taken;
  uint64_t at = 0;
  for (const Piece &piece : pieces) {
    if (at >= begin + bytes) break;
    const uint64_t from = std::max(at, begin), to = std::min(at + piece.bytes, begin + bytes);
    if (from < to) taken.push_back({piece.content, piece.offset + from - at, to - from});
    at += piece.bytes;
  }
  return taken;
}

namespace {
/// Whether an operator's result is 0 where this operand is.
bool isZeroAtZero(const OpDef &row, size_t k, size_t operands) {
  switch (row.linearity) {
  case Linearity::Each:
    return true;
  case Linearity::First:
    return k == 0;
  case Linearity::Last:
    return k == (row.gradientOperand < 0 ? operands - 1 : size_t(row.gradientOperand));
  case Linearity::None:
  case Linearity::Together:
    return false;
  }
  return false;
}
} // namespace

bool Coordinate::isZeroResult(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads) const {
  const OpDef *row = GlobalValues::rowOf(KernelId(call.kernel()));
  if (!row) return false;
  bool areZero = true;
  for (auto [k, read] : indexed(reads)) {
    const bool isZero = !read.content || read.content->isZero();
    areZero &= isZero;
    if (isZero && read.content && isZeroAtZero(*row, k, reads.size())) return true;
  }
  const bool nothingIsSummed = llvm::all_of(reads, [](const OperandRead &read) { return !read.content; });
  const bool isSum = row->linearity != Linearity::None || KernelId(call.kernel()) == KernelId::CrossEntropy;
  return !reads.empty() && areZero && (row->linearity == Linearity::Together || (nothingIsSummed && isSum));
}

const Content *Coordinate::moved(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads) {
  const KernelId kernel = KernelId(call.kernel());
  Content constant;
  constant.kind = Content::Kind::Constant;
  constant.dtype = DType(call.results(0).dtype());
  constant.bytes = bytesOf(call.results(0));
  if (kernel == KernelId::Full) {
    for (const plan::Attribute &attribute : call.attributes())
      if (attribute.name() == "value") constant.fill = attribute.real();
    return proof_.store.add(std::move(constant));
  }
  if (isZeroResult(call, reads)) return proof_.store.add(std::move(constant));
  if (kernel == KernelId::ReduceMax && !reads[0].content) { // nothing to take the maximum of
    constant.fill = -HUGE_VAL;
    return proof_.store.add(std::move(constant));
  }
  const size_t axis = size_t(integerOf(call, "axis", 0));
  if (kernel == KernelId::Slice && reads[0].content && axis < reads[0].shape.size()) {
    const int64_t start = integerOf(call, "start", 0), length = call.results(0).shape(int(axis));
    return proof_.moves.slice(*reads[0].content, reads[0].shape, axis, {start, start + length},
                              integerOf(call, "step", 1));
  }
  if (kernel == KernelId::Concat) {
    llvm::SmallVector<const Content *, 4> contents;
    std::vector<Sizes> shapes;
    for (const OperandRead &read : reads) {
      contents.push_back(read.content);
      shapes.push_back(read.shape);
    }
    return proof_.moves.concat(contents, shapes, axis);
  }
  auto isZero = [&](size_t k) { return reads[k].content && reads[k].content->isZero(); };
  if (kernel == KernelId::Where && isZero(1) && isZero(2)) return proof_.store.add(std::move(constant));
  if (kernel == KernelId::Where && reads[0].content && reads[1].content && isZero(2) &&
      !reads[0].content->data.empty() && shapeOf(call.results(0)) == reads[1].shape)
    return proof_.moves.masked(*reads[1].content, reads[1].shape, reads[0].content->data, reads[0].shape);
  return nullptr;
}

} // namespace autotp
