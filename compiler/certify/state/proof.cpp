#include "compiler/certify/state/proof.h"

#include "compiler/certify/moves/cuts.h"
#include "compiler/certify/moves/views.h"
#include "compiler/certify/refusal.h"
#include "compiler/ir/gradient_outputs.h"

namespace autotp {

Proof::Proof(const Graph &graph, const CertifyOptions &options)
    : graph(graph), options(options), symbols(graph), constants(symbols), joins(symbols, constants),
      operators(symbols, constants), schedule(*options.updates) {
  GlobalValues &values = symbols.values;
  for (const auto &[parameter, gradient] : gradientOutputs(graph)) {
    const RootId root = symbols.rootOf(parameter);
    Parameter &row = parameters[graph.value(parameter).name];
    row = {root, graph.type(parameter).dtype == DType::F32 ? root : values.addMaster(root), graph.type(parameter),
           values.inF32(values.value(gradient)), options.updates->parameters.lookup(graph.value(parameter).name)};
    parameterOf[row.master] = &row;
  }
  for (const Output &output : graph.outputs) {
    if (output.name == "loss_sum") lossSum = values.value(output.value);
    if (output.name == "count") count = values.value(output.value);
  }
  if (!options.lossScale) return;
  for (unsigned reader : values.readers(KernelId::Mul, 0, symbols.rootOf(options.lossScale->state))) {
    const GlobalNode &node = values.node(reader);
    const GlobalOperand &share = node.operands[1];
    if (share.kind == GlobalOperand::Kind::Fill && share.fill == options.lossScale->share)
      gradientScale = node.results[0];
  }
}

namespace {

bool isDone(const Content &content, Change change) {
  switch (change) {
  case Change::Accumulate:
    return content.summedOver().microSteps;
  case Change::SumOverDp:
    return content.summedOver().dp;
  case Change::Update:
    return content.isUpdated();
  }
  return true;
}

SummedOver sumAfter(SummedOver before, Change change) {
  return {before.microSteps || change == Change::Accumulate, before.dp || change == Change::SumOverDp};
}

} // namespace

const Proof::Parameter *Proof::masterIn(const Content &content) const {
  const auto *elements = content.as<Elements>();
  return elements ? parameterOf.lookup(elements->root) : nullptr;
}

const Content *Proof::after(const Content *content, Change change) {
  auto [at, isNew] = after_.try_emplace({content, unsigned(change)}, nullptr);
  if (!isNew) return at->second;
  if (content->isZero()) return at->second = content;
  Content next = *content;
  auto *elements = next.as<Elements>();
  auto *constant = next.as<Constant>();
  if (isDone(*content, change) || (!elements && !constant) || (elements && elements->partial == Partial::Max))
    return nullptr;
  if (elements) elements->summedOver = sumAfter(elements->summedOver, change);
  if (elements) elements->isUpdated |= change == Change::Update;
  if (constant && change == Change::Update) return nullptr;
  if (constant) constant->summedOver = sumAfter(constant->summedOver, change);
  return at->second = symbols.store.add(std::move(next));
}

const Content *Proof::parameterContent(RootId root, llvm::ArrayRef<ListId> held) {
  auto [at, isNew] = parameterContents_.try_emplace(std::move(ByteKey().add(root).addList(held)), nullptr);
  if (!isNew) return at->second;
  const DType dtype = symbols.values.root(root).type.dtype;
  Elements elements{root, Lists(held.begin(), held.end())};
  return at->second = symbols.store.add({dtype, symbols.bytesOf(held, dtype), std::move(elements)});
}

const Content *Proof::rounded(const Content &masters, DType dtype) {
  const Parameter *row = masterIn(masters);
  if (!row || !masters.isUpdated() || row->type.dtype != dtype) return nullptr;
  return after(parameterContent(row->root, masters.as<Elements>()->lists), Change::Update);
}

const Content *Proof::settled(const Content *content) {
  if (!content || !content->isPartial()) return content;
  const Elements &partial = *content->as<Elements>();
  if (llvm::Error error = symbols.contributions.checkComplete(partial.summands, partial.lists, partial.partial)) {
    llvm::consumeError(std::move(error));
    return content;
  }
  Elements whole{partial.root, partial.lists};
  whole.summedOver = partial.summedOver;
  whole.isUpdated = partial.isUpdated;
  return symbols.store.add({content->dtype, content->bytes, std::move(whole)});
}

bool Proof::isStepSum(const Content &content, const GlobalOperand &value) {
  const SummedOver summed = content.summedOver(); // loss and count always are accumulated
  return summed.microSteps && (options.dp == 1 || summed.dp) && isAllOf(content, value);
}

bool Proof::isRankSum(const Content &content, const GlobalOperand &value) {
  const SummedOver summed = content.summedOver();
  return summed.microSteps && !summed.dp && isAllOf(content, value);
}

bool Proof::isAllOf(const Content &content, const GlobalOperand &value) {
  if (value.kind == GlobalOperand::Kind::Fill) {
    const auto *constant = content.as<Constant>();
    return constant && constant->isFill() && constant->fill == value.fill;
  }
  const auto *elements = content.as<Elements>();
  return value.kind == GlobalOperand::Kind::Value && elements && !elements->isPartial() &&
         elements->root == symbols.rootOf(value) && content.bytes == value.type.bytes();
}

bool Proof::isDivisor(const Content &content) {
  return options.lossScale ? content.is(StepNumber::Divisor) : isStepSum(content, count);
}

llvm::Error Proof::checkGradient(Piece gradient, const Parameter &row, Piece held) {
  while (held.bytes) { // boxes of both at a time
    const Content *part = boxAt(symbols, held), *added = boxAt(symbols, gradient);
    while (part && added && part->bytes != added->bytes) {
      const uint64_t bytes = std::min(part->bytes, added->bytes);
      part = boxAt(symbols, {held.content, held.offset, bytes});
      added = boxAt(symbols, {gradient.content, gradient.offset, bytes});
    }
    if (!part || !added) return refuse("it lies elsewhere");
    if (llvm::Error error = checkGradient(*added, row, part->as<Elements>()->lists)) return error;
    held = {held.content, held.offset + part->bytes, held.bytes - part->bytes};
    gradient = {gradient.content, gradient.offset + part->bytes, gradient.bytes - part->bytes};
  }
  return llvm::Error::success();
}

llvm::Error Proof::checkGradient(const Content &content, const Parameter &parameter, llvm::ArrayRef<ListId> held) {
  if (isGradient(content, parameter, held)) return llvm::Error::success();
  return refuse("the gradient is " + symbols.text(content));
}

bool Proof::isGradient(const Content &content, const Parameter &parameter, llvm::ArrayRef<ListId> held) {
  const GlobalOperand &gradient = parameter.gradient;
  if (gradient.kind != GlobalOperand::Kind::Value)
    return content.isZero() && gradient.kind == GlobalOperand::Kind::Fill && gradient.fill == 0;
  const auto *own = content.as<Elements>();
  if (!own || own->isPartial() || own->isUpdated || (options.gradAccum > 1 && !own->summedOver.microSteps) ||
      (options.dp > 1 && !own->summedOver.dp))
    return false;
  return areOfGradient(*own, parameter, held);
}

bool Proof::areOfGradient(const Elements &own, const Parameter &parameter, llvm::ArrayRef<ListId> held) {
  const GlobalOperand &gradient = parameter.gradient;
  if (gradient.kind != GlobalOperand::Kind::Value || own.root != symbols.rootOf(gradient)) return false;
  IndexLists &lists = symbols.lists;
  auto isAll = [&](const std::optional<Lists> &own, const std::optional<Lists> &wanted) {
    bool isEqual = own && wanted && own->size() == wanted->size();
    for (size_t d = 0; isEqual && d < wanted->size(); ++d)
      isEqual = (*own)[d] == (*wanted)[d] || lists.fits((*own)[d], (*wanted)[d]) || lists.elements(*wanted) == 0;
    return isEqual;
  };
  const View &view = symbols.values.view(gradient.view);
  return isAll(inView(lists, view, own.lists, lists.lengths(held)), Lists(held.begin(), held.end())) ||
         isAll(own.lists, inRoot(lists, view, held)); // a list that is free may be so in the root's dimensions alone
}

} // namespace autotp
