#include "compiler/certify/proof.h"

#include "compiler/ir/gradient_outputs.h"

namespace autotp {

Proof::Proof(const Graph &g, const CertifyOptions &o)
    : graph(g), options(o), values(g, lists), contributions(values, lists), moves(values, lists, contributions, store),
      nodes(values, lists, contributions, store, moves), schedule(*o.updates) {
  for (const auto &[parameter, gradient] : gradientOutputs(g)) {
    const RootId root = values.view(values.value(parameter).view).root;
    Parameter &row = parameters[g.value(parameter).name];
    row = {root, g.type(parameter).dtype == DType::F32 ? root : values.addMaster(root), g.type(parameter),
           values.inF32(values.value(gradient)), o.updates->parameters.lookup(g.value(parameter).name)};
    parameterOf[row.master] = &row;
  }
  for (const Output &output : g.outputs) {
    if (output.name == "loss_sum") lossSum = values.value(output.value);
    if (output.name == "count") count = values.value(output.value);
  }
  if (!o.lossScale) return;
  for (unsigned reader : values.readers(KernelId::Mul, 0, values.view(values.value(o.lossScale->state).view).root)) {
    const GlobalNode &node = values.node(reader);
    const GlobalOperand &share = node.operands[1];
    if (share.kind == GlobalOperand::Kind::Fill && share.fill == o.lossScale->share) gradientScale = node.results[0];
  }
}

const Content *Proof::after(const Content *content, Step step) {
  auto [at, isNew] = after_.try_emplace({content, unsigned(step)}, nullptr);
  if (!isNew) return at->second;
  const bool isSummable = content->kind == Content::Kind::Value || content->kind == Content::Kind::Constant;
  const bool isDone = step == Step::Accumulate  ? content->isAccumulated
                      : step == Step::SumOverDp ? content->isSummedOverDp
                                                : content->isUpdated;
  if (content->isZero()) return at->second = content;
  if (!isSummable || isDone || content->pending == Pending::Max) return nullptr;
  Content next = *content;
  (step == Step::Accumulate  ? next.isAccumulated
   : step == Step::SumOverDp ? next.isSummedOverDp
                             : next.isUpdated) = true;
  return after_[{content, unsigned(step)}] = store.add(std::move(next));
}

const Content *Proof::parameterContent(RootId root, llvm::ArrayRef<ListId> held) {
  auto [at, isNew] = parameterContents_.try_emplace(std::move(ByteKey().add(root).addList(held)), nullptr);
  if (!isNew) return at->second;
  Content content;
  content.dtype = values.root(root).type.dtype;
  content.root = root;
  content.lists = Lists(held.begin(), held.end());
  content.bytes = uint64_t(lists.elements(held)) * sizeOf(content.dtype);
  return at->second = store.add(std::move(content));
}

const Content *Proof::rounded(const Content &masters, DType dtype) {
  const Parameter *row = masters.kind == Content::Kind::Value ? parameterOf.lookup(masters.root) : nullptr;
  if (!row || !masters.isUpdated || row->type.dtype != dtype) return nullptr;
  return after(parameterContent(row->root, masters.lists), Step::Update);
}

const Content *Proof::settled(const Content *content) {
  if (!content || content->kind != Content::Kind::Value || content->pending == Pending::None) return content;
  std::string why;
  if (!contributions.isComplete(content->parts, content->lists, content->pending, why)) return content;
  Content whole = *content;
  whole.pending = Pending::None;
  whole.parts.clear();
  return store.add(std::move(whole));
}

const Content *Proof::boxAt(const Piece &piece) {
  const uint64_t size = sizeOf(piece.content->dtype);
  if (piece.bytes == piece.content->bytes) return piece.content;
  if (piece.offset % size || piece.bytes % size) return nullptr;
  return moves.firstBox(*piece.content, {int64_t(piece.offset / size), int64_t((piece.offset + piece.bytes) / size)});
}

const Content *Proof::together(llvm::ArrayRef<Piece> pieces) {
  llvm::SmallVector<const Content *> parts;
  for (const Piece &piece : pieces)
    for (Piece left = piece; left.bytes;) {
      parts.push_back(boxAt(left));
      if (!parts.back()) return nullptr;
      left = {left.content, left.offset + parts.back()->bytes, left.bytes - parts.back()->bytes};
    }
  return parts.size() == 1 ? parts[0] : moves.join(parts);
}

bool Proof::isStepSum(const Content &content, const GlobalOperand &value) {
  if (content.isAccumulated == false) return false; // loss and count always are
  if (options.dp > 1 && !content.isSummedOverDp) return false;
  if (value.kind == GlobalOperand::Kind::Fill)
    return content.kind == Content::Kind::Constant && content.data.empty() && content.fill == value.fill;
  return value.kind == GlobalOperand::Kind::Value && content.kind == Content::Kind::Value &&
         content.pending == Pending::None && content.root == values.view(value.view).root &&
         content.bytes == value.type.bytes();
}

bool Proof::isDivisor(const Content &content) {
  return options.lossScale ? content.kind == Content::Kind::Divisor : isStepSum(content, count);
}

bool Proof::isGradient(Piece gradient, const Parameter &row, Piece parameter, std::string &why) {
  while (parameter.bytes) { // boxes of both at a time
    const Content *part = boxAt(parameter), *added = boxAt(gradient);
    while (part && added && part->bytes != added->bytes) {
      const uint64_t bytes = std::min(part->bytes, added->bytes);
      part = boxAt({parameter.content, parameter.offset, bytes});
      added = boxAt({gradient.content, gradient.offset, bytes});
    }
    if (!part || !added || !isGradient(*added, row, part->lists, why)) return false;
    parameter = {parameter.content, parameter.offset + part->bytes, parameter.bytes - part->bytes};
    gradient = {gradient.content, gradient.offset + part->bytes, gradient.bytes - part->bytes};
  }
  return true;
}

bool Proof::isGradient(const Content &content, const Parameter &parameter, llvm::ArrayRef<ListId> held,
                       std::string &why) {
  if (isGradient(content, parameter, held)) return true;
  why = "the gradient is " + describe(content, values, lists);
  return false;
}

bool Proof::isGradient(const Content &content, const Parameter &parameter, llvm::ArrayRef<ListId> held) {
  const GlobalOperand &gradient = parameter.gradient;
  if (gradient.kind != GlobalOperand::Kind::Value)
    return content.isZero() && gradient.kind == GlobalOperand::Kind::Fill && gradient.fill == 0;
  if (content.kind != Content::Kind::Value || content.pending != Pending::None || content.isUpdated ||
      (options.gradAccum > 1 && !content.isAccumulated) || (options.dp > 1 && !content.isSummedOverDp) ||
      content.root != values.view(gradient.view).root)
    return false;
  auto isAll = [&](const std::optional<Lists> &own, const std::optional<Lists> &wanted) {
    bool isEqual = own && wanted && own->size() == wanted->size();
    for (size_t d = 0; isEqual && d < wanted->size(); ++d)
      isEqual = (*own)[d] == (*wanted)[d] || lists.fits((*own)[d], (*wanted)[d]) || lists.elements(*wanted) == 0;
    return isEqual;
  };
  const View &view = values.view(gradient.view);
  return isAll(moves.inView(view, content.lists, lists.lengths(held)), Lists(held.begin(), held.end())) ||
         isAll(content.lists, moves.inRoot(view, held)); // a list that is free may be so in the root's dimensions alone
}

} // namespace autotp
