// compiler/onnx/einsum.cpp: einsum as matrix products. Letters with the same role are merged into one dimension, in
// which each keeps its axis as a factor.
#include "compiler/onnx/formula.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

struct Equation {
  std::vector<std::string> operands;
  std::string result;
};

/// Parses the equation. An ellipsis becomes capital letters that no term uses, aligned at the right.
llvm::Expected<Equation> parseEquation(NodeImport &node) {
  std::string text = node.text("equation", "");
  llvm::erase_value(text, ' ');
  auto [left, right] = llvm::StringRef(text).split("->");
  Equation equation;
  llvm::SmallVector<llvm::StringRef, 2> terms;
  left.split(terms, ',');
  if (terms.size() != node.numOperands()) return node.fail("its equation has another number of operands");
  size_t widest = 0;
  auto spelled = [&](llvm::StringRef term, size_t count) {
    std::string many;
    for (size_t i = 0; i < count; ++i)
      many += char('A' + 25 - (count - 1 - i));
    size_t at = term.find("...");
    return at == llvm::StringRef::npos ? term.str() : (term.take_front(at) + many + term.drop_front(at + 3)).str();
  };
  for (auto [k, term] : indexed(terms)) {
    size_t rank = node.type(k).shape.size(), letters = term.size() - (term.contains("...") ? 3 : 0);
    if (letters > rank || (letters < rank && !term.contains("..."))) return node.fail("its equation does not fit");
    equation.operands.push_back(spelled(term, rank - letters));
    widest = std::max(widest, rank - letters);
  }
  equation.result = spelled(right, widest);
  if (!llvm::StringRef(text).contains("->")) { // letters that occur once, in alphabetical order, after the ellipsis
    std::string all = llvm::join(equation.operands, "");
    for (char c = 'A'; c <= 'z'; ++c)
      if (llvm::count(all, c) == 1 || (c <= 'Z' && llvm::is_contained(all, c))) equation.result += c;
  }
  for (const std::string &term : equation.operands)
    for (char c : term)
      if (!llvm::isAlpha(c) || llvm::count(term, c) > 1)
        return node.fail("a letter that stands twice in one operand is not supported");
  return equation;
}

struct Term {
  ValueId value;
  std::string letters;
};

class Contraction {
public:
  explicit Contraction(Formula &f) : formula_(f) {}

  /// Sums over the letters that are not `needed`.
  Term summed(Term x, llvm::StringRef needed) {
    llvm::SmallVector<int64_t, 6> axes;
    std::string kept;
    for (auto [d, c] : indexed(x.letters)) {
      if (needed.contains(c))
        kept += c;
      else
        axes.push_back(int64_t(d));
    }
    if (axes.empty()) return x;
    return {formula_("reduce_sum", {x.value}, {{"axes", axes}, {"keepdims", int64_t(0)}}), kept};
  }

  /// Transposes a term so that its letters are in this order.
  Term ordered(const Term &x, const std::string &letters) {
    llvm::SmallVector<int64_t, 6> perm;
    for (char c : letters)
      perm.push_back(int64_t(x.letters.find(c)));
    return {formula_.transpose(x.value, perm), letters};
  }

  /// Multiplies two terms. Their result has the letters of both that are `needed`, and those of only one; other shared
  /// letters are contracted.
  Term multiplied(const Term &a, const Term &b, llvm::StringRef needed) {
    std::string batch, rows, columns, inner;
    for (char c : a.letters)
      (!llvm::StringRef(b.letters).contains(c) ? rows : needed.contains(c) ? batch : inner) += c;
    for (char c : b.letters)
      if (!llvm::StringRef(a.letters).contains(c)) columns += c;
    Shape lead = sizesOf(a, batch), shape = lead;
    auto merged = [&](const Term &x, const std::string &first, const std::string &second) {
      Shape own = lead;
      own.append({elementsOf(sizesOf(x, first == inner ? inner : first)), elementsOf(sizesOf(x, second))});
      return formula_.reshape(ordered(x, batch + first + second).value, own);
    };
    ValueId product = formula_("matmul", {merged(a, rows, inner), merged(b, inner, columns)},
                               {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}});
    shape.append(sizesOf(a, rows));
    shape.append(sizesOf(b, columns));
    return {formula_.reshape(product, shape), batch + rows + columns};
  }

private:
  Shape sizesOf(const Term &x, llvm::StringRef letters) const {
    Shape sizes;
    for (char c : letters)
      sizes.push_back(formula_.typeOf(x.value).shape[x.letters.find(c)]);
    return sizes;
  }
  Formula &formula_;
};

llvm::Error importEinsum(NodeImport &node) {
  auto equation = parseEquation(node);
  if (!equation) return equation.takeError();
  std::string all = llvm::join(equation->operands, "");
  for (char c : equation->result)
    if (!llvm::is_contained(all, c)) return node.fail("its result has a letter that no operand has");
  for (auto [k, term] : indexed(equation->operands))
    for (auto [d, c] : indexed(term))
      for (size_t j = 0; j < k; ++j)
        if (size_t at = equation->operands[j].find(c);
            at != std::string::npos && node.type(j).shape[at] != node.type(k).shape[d])
          return node.fail("its operands differ in the size of a letter");
  Formula f(node);
  Contraction contraction(f);
  auto neededAfter = [&](size_t k) {
    std::string needed = equation->result;
    for (size_t j = k + 1; j < equation->operands.size(); ++j)
      needed += equation->operands[j];
    return needed;
  };
  Term x = {node[0], equation->operands[0]};
  x = contraction.summed(x, neededAfter(0));
  for (size_t k = 1; k < equation->operands.size() && !f.isBroken(); ++k) {
    Term next = contraction.summed({node[k], equation->operands[k]}, neededAfter(k) + x.letters);
    x = contraction.summed(contraction.multiplied(x, next, neededAfter(k)), neededAfter(k));
  }
  return f.finish(f.isBroken() ? kNone : contraction.ordered(x, equation->result).value);
}

const ImportDef kImports[] = {{"", "Einsum", 1, importEinsum}};

} // namespace

llvm::ArrayRef<ImportDef> einsumImports() { return kImports; }

} // namespace autotp
