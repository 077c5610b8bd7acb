// compiler/onnx/recurrent.cpp: RNN, GRU and LSTM, unrolled. One product covers the inputs of all steps; each step is
// then a few operators on the state before it.
#include "compiler/onnx/formula.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

constexpr int64_t kMostSteps = 4096;
const Attributes kSecondTurned = {{"trans_a", int64_t(0)}, {"trans_b", int64_t(1)}};

/// The cell of one direction, and its state between steps.
struct Cell {
  NodeImport &node;
  Formula &f;
  int64_t gates, hidden, batch;
  ValueId recurrence = kNone; ///< [gates * hidden, hidden]
  /// resetBias: of the hidden gate, scaled by the reset gate; peepholes: [3 * hidden]
  ValueId resetBias = kNone, peepholes = kNone;
  llvm::SmallVector<std::string, 3> activations = {};
  double clip = 0;
  ValueId h = kNone, c = kNone; ///< [batch, hidden]

  ValueId sum(ValueId a, ValueId b) { return a == kNone ? b : b == kNone ? a : f("add", {a, b}); }
  /// The part of gate k in [.., gates * hidden].
  ValueId gate(ValueId x, int64_t k) {
    return x == kNone ? kNone : f.slice(x, int64_t(f.typeOf(x).shape.size()) - 1, k * hidden, hidden);
  }
  ValueId activated(size_t k, ValueId x) {
    if (clip > 0) x = f("max", {f("min", {x, f.constant(x, clip)}), f.constant(x, -clip)});
    return f(activations[k], {x});
  }
  ValueId recurrent(ValueId state, ValueId weights) { return f("matmul", {state, weights}, kSecondTurned); }
  ValueId mixed(ValueId share, ValueId a, ValueId b) { // share * a + (1 - share) * b
    ValueId rest = f("sub", {f.constant(share, 1), share});
    return f("add", {f("mul", {share, a}), f("mul", {rest, b})});
  }
};

/// One step. `x` is what the inputs of this step contribute to the gates, with all biases that are only added.
using StepFn = void (*)(Cell &cell, ValueId x);

void stepRnn(Cell &cell, ValueId x) {
  cell.h = cell.activated(0, cell.sum(x, cell.recurrent(cell.h, cell.recurrence)));
}

/// The gates are in the order update, reset, hidden.
void stepGru(Cell &cell, ValueId x) {
  Formula &f = cell.f;
  const int64_t both = 2 * cell.hidden;
  ValueId ofGates = cell.recurrent(cell.h, f.slice(cell.recurrence, 0, 0, both));
  ValueId ofHidden = f.slice(cell.recurrence, 0, both, cell.hidden);
  ValueId update = cell.activated(0, cell.sum(cell.gate(x, 0), cell.gate(ofGates, 0)));
  ValueId reset = cell.activated(0, cell.sum(cell.gate(x, 1), cell.gate(ofGates, 1)));
  ValueId fresh;
  if (cell.node.integer("linear_before_reset", 0))
    fresh = f("mul", {reset, cell.sum(cell.recurrent(cell.h, ofHidden), cell.resetBias)});
  else
    fresh = cell.recurrent(f("mul", {reset, cell.h}), ofHidden);
  cell.h = cell.mixed(update, cell.h, cell.activated(1, cell.sum(cell.gate(x, 2), fresh)));
}

/// The gates are in the order input, output, forget, cell.
void stepLstm(Cell &cell, ValueId x) {
  Formula &f = cell.f;
  ValueId all = cell.sum(x, cell.recurrent(cell.h, cell.recurrence));
  auto peeped = [&](int64_t gate, int64_t k, ValueId state) {
    ValueId sum = cell.gate(all, gate);
    return cell.peepholes == kNone ? sum : cell.sum(sum, f("mul", {cell.gate(cell.peepholes, k), state}));
  };
  ValueId in = cell.activated(0, peeped(0, 0, cell.c)), keep = cell.activated(0, peeped(2, 2, cell.c));
  if (cell.node.integer("input_forget", 0)) keep = f("sub", {f.constant(in, 1), in});
  ValueId fresh = cell.activated(1, cell.gate(all, 3));
  cell.c = f("add", {f("mul", {keep, cell.c}), f("mul", {in, fresh})});
  cell.h = f("mul", {cell.activated(0, peeped(1, 1, cell.c)), f(cell.activations[2], {cell.c})});
}

struct Kind {
  int64_t gates;
  StepFn step;
  llvm::ArrayRef<llvm::StringLiteral> activations;
  bool hasCell;
};

llvm::Expected<llvm::SmallVector<std::string, 3>> activationsOf(NodeImport &node, const Kind &kind, size_t direction) {
  llvm::SmallVector<std::string, 3> names;
  const std::vector<std::string> given = node.texts("activations");
  for (size_t k = 0; k < kind.activations.size(); ++k) {
    const size_t at = direction * kind.activations.size() + k;
    const std::string name = llvm::StringRef(at < given.size() ? given[at] : kind.activations[k].str()).lower();
    if (name != "tanh" && name != "sigmoid" && name != "relu")
      return node.fail("activation " + given[at] + " is not supported", "Tanh, Sigmoid and Relu are");
    names.push_back(name);
  }
  return names;
}

/// Operands: X [t, b, i], W [d, gates * hidden, i], R [d, gates * hidden, hidden], B [d, 2 * gates * hidden], lengths
/// [b], states [d, b, hidden], peepholes [d, 3 * hidden], with t steps, batch b, input size i and d directions.
class Recurrence {
public:
  Recurrence(NodeImport &node, const Kind &kind) : node_(node), kind_(kind), formula_(node) {}

  llvm::Error run() {
    if (llvm::Error error = check()) return error;
    const std::string direction = node_.text("direction", "forward");
    for (int64_t d = 0; d < directions_; ++d)
      if (llvm::Error error = runDirection(d, direction == "reverse" || d == 1)) return error;
    const int64_t axis = isBatchFirst_ ? 1 : 0; // the axis of directions in the last states
    ValueId y = stacked(formula_, outputs_, 1);
    node_.results.push_back(isBatchFirst_ ? formula_.transpose(y, {2, 0, 1, 3}) : y);
    node_.results.push_back(stacked(formula_, lastH_, axis));
    if (kind_.hasCell) node_.results.push_back(stacked(formula_, lastC_, axis));
    return formula_.takeError();
  }

private:
  llvm::Error check() {
    isBatchFirst_ = node_.integer("layout", 0);
    sequence_ = node_[0];
    if (node_.type(0).shape.size() != 3 || node_.type(1).shape.size() != 3 || node_.type(2).shape.size() != 3)
      return node_.fail("its operands are not of rank 3");
    if (isBatchFirst_) sequence_ = formula_.transpose(sequence_, {1, 0, 2});
    const Shape x = formula_.typeOf(sequence_).shape, w = node_.type(1).shape, r = node_.type(2).shape;
    steps_ = x[0];
    batch_ = x[1];
    hidden_ = r[2];
    directions_ = w[0];
    const int64_t rows = kind_.gates * hidden_, wanted = node_.text("direction", "forward") == "bidirectional" ? 2 : 1;
    if (steps_ < 1 || steps_ > kMostSteps) return node_.fail("it has no step, or too many to be unrolled");
    if (directions_ != wanted || w != Shape{wanted, rows, x[2]} || r != Shape{wanted, rows, hidden_})
      return node_.fail("its weights do not fit its operand");
    if (node_.has(3) && node_.type(3).shape != Shape{wanted, 2 * rows})
      return node_.fail("its biases do not fit its weights");
    if (node_.has(4) && node_.type(4).shape != Shape{batch_}) return node_.fail("its lengths do not fit its batch");
    if (kind_.hasCell && node_.has(7) && node_.type(7).shape != Shape{wanted, 3 * hidden_})
      return node_.fail("its peepholes do not fit its weights");
    for (size_t k = 5; k < (kind_.hasCell ? 7 : 6); ++k)
      if (node_.has(k) &&
          node_.type(k).shape != (isBatchFirst_ ? Shape{batch_, wanted, hidden_} : Shape{wanted, batch_, hidden_}))
        return node_.fail("its first state does not fit its batch");
    return llvm::Error::success();
  }

  /// The part of direction d of an operand, without the dimension of directions.
  ValueId ofDirection(size_t k, int64_t d, int64_t axis = 0) {
    ValueId part = formula_.slice(node_[k], axis, d, 1);
    Shape shape = formula_.typeOf(part).shape;
    if (!formula_.isBroken(part)) shape.erase(shape.begin() + axis);
    return formula_.reshape(part, shape);
  }
  ValueId firstState(size_t k, int64_t d) {
    if (node_.has(k)) return ofDirection(k, d, isBatchFirst_ ? 1 : 0);
    return formula_.taken(node_.filled({formula_.typeOf(sequence_).dtype, {batch_, hidden_}}, 0));
  }

  llvm::Error runDirection(int64_t d, bool isReverse) {
    auto activations = activationsOf(node_, kind_, size_t(d));
    if (!activations) return activations.takeError();
    Cell cell{node_, formula_, kind_.gates, hidden_, batch_};
    cell.activations = *activations;
    cell.clip = node_.real("clip", 0);
    cell.recurrence = ofDirection(2, d);
    cell.h = firstState(5, d);
    const int64_t rows = kind_.gates * hidden_;
    if (kind_.hasCell) cell.c = firstState(6, d);
    if (kind_.hasCell && node_.has(7)) cell.peepholes = ofDirection(7, d);
    ValueId products = formula_("matmul", {sequence_, ofDirection(1, d)}, kSecondTurned);
    products = cell.sum(products, addedBias(cell, d));
    Sequences::Elements outputs(size_t(steps_), kNone);
    for (int64_t i = 0; i < steps_; ++i) {
      const int64_t t = isReverse ? steps_ - 1 - i : i;
      const Cell before = cell;
      kind_.step(cell, formula_.reshape(formula_.slice(products, 0, t, 1), {batch_, rows}));
      outputs[size_t(t)] = cell.h;
      if (node_.has(4)) outputs[size_t(t)] = keepEnded(cell, before, t);
      if (formula_.isBroken()) return formula_.takeError();
    }
    outputs_.push_back(stacked(formula_, outputs, 0));
    lastH_.push_back(cell.h);
    lastC_.push_back(cell.c);
    return llvm::Error::success();
  }

  /// The sum of all biases, except that of a hidden gate which the reset gate scales.
  ValueId addedBias(Cell &cell, int64_t d) {
    if (!node_.has(3)) return kNone;
    ValueId both = formula_.reshape(ofDirection(3, d), {2, kind_.gates, hidden_});
    auto sumOf = [&](ValueId x, int64_t gates) {
      return formula_.reshape(formula_.reduced("reduce_sum", x, {0}), {gates * hidden_});
    };
    if (kind_.gates != 3 || !node_.integer("linear_before_reset", 0)) return sumOf(both, kind_.gates);
    ValueId ofHidden = formula_.slice(both, 1, 2, 1);
    cell.resetBias = formula_.reshape(formula_.slice(ofHidden, 0, 1, 1), {hidden_});
    ValueId ofInput = formula_.reshape(formula_.slice(ofHidden, 0, 0, 1), {hidden_});
    return formula_("concat", {sumOf(formula_.slice(both, 1, 0, 2), 2), ofInput}, {{"axis", int64_t(0)}});
  }

  /// Sequences that have ended keep their state, and output zeros.
  ValueId keepEnded(Cell &cell, const Cell &before, int64_t t) {
    ValueId lengths = formula_.reshape(node_[4], {batch_, 1});
    ValueId goesOn = formula_("greater", {lengths, formula_.constant(lengths, double(t))}), fresh = cell.h;
    cell.h = formula_("where", {goesOn, fresh, before.h});
    if (kind_.hasCell) cell.c = formula_("where", {goesOn, cell.c, before.c});
    return formula_("where", {goesOn, fresh, formula_.constant(fresh, 0)});
  }

  NodeImport &node_;
  const Kind &kind_;
  Formula formula_;
  bool isBatchFirst_ = false;
  ValueId sequence_ = kNone; ///< [t, b, i]
  int64_t steps_ = 0, batch_ = 0, hidden_ = 0, directions_ = 0;
  Sequences::Elements outputs_, lastH_, lastC_; ///< by direction
};

constexpr llvm::StringLiteral kRnnActivations[] = {"Tanh"}, kGruActivations[] = {"Sigmoid", "Tanh"},
                              kLstmActivations[] = {"Sigmoid", "Tanh", "Tanh"};

const Kind kRnn = {1, stepRnn, kRnnActivations, false}, kGru = {3, stepGru, kGruActivations, false},
           kLstm = {4, stepLstm, kLstmActivations, true};

llvm::Error importRnn(NodeImport &node) { return Recurrence(node, kRnn).run(); }
llvm::Error importGru(NodeImport &node) { return Recurrence(node, kGru).run(); }
llvm::Error importLstm(NodeImport &node) { return Recurrence(node, kLstm).run(); }

const ImportDef kImports[] = {
    {"", "GRU", 3, importGru, 0, "unrolled; activations Tanh, Sigmoid and Relu"},
    {"", "LSTM", 3, importLstm, 0, "unrolled; activations Tanh, Sigmoid and Relu"},
    {"", "RNN", 3, importRnn, 0, "unrolled; activations Tanh, Sigmoid and Relu"},
};

} // namespace

llvm::ArrayRef<ImportDef> recurrentImports() { return kImports; }

} // namespace autotp
