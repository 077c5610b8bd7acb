#include "passes/import/canonicalise.h"

#include "compiler/ops/evaluate.h"
#include "runtime/base/digest.h"

#include <map>
#include <tuple>

namespace autotp {
namespace {

/// Elements. A constant that is larger than this and than all its operands together is computed at run time instead.
constexpr int64_t kLargestGrown = 1 << 22;

/// Walks over the nodes in order; each is folded, simplified or joined with an equal one before its uses are looked at.
class Canonicaliser {
public:
  explicit Canonicaliser(Graph &graph) : graph_(graph) {}

  llvm::Error run() {
    for (NodeId id : graph_.order()) {
      if (graph_.node(id).erased) continue;
      llvm::Expected<bool> isFolded = fold(id);
      if (!isFolded) return isFolded.takeError();
      if (*isFolded) continue;
      if (ValueId same = simplify(id); same != kNone) {
        graph_.replaceAllUses(graph_.node(id).results[0], same);
        continue;
      }
      shareEqual(id);
    }
    graph_.removeDead();
    return llvm::Error::success();
  }

private:
  static bool isSmall(DType dtype) { return dtype == DType::BF16 || dtype == DType::F16; }
  bool isConstant(ValueId v) const { return graph_.value(v).kind == ValueKind::Constant && graph_.value(v).contents; }
  /// A value without elements is known, whatever computes it.
  bool isKnown(ValueId v) const { return isConstant(v) || graph_.type(v).elements() == 0; }

  llvm::Expected<bool> fold(NodeId id) {
    const Node node = graph_.node(id);
    if (node.is("full") || !llvm::all_of(node.operands, [&](ValueId v) { return isKnown(v); })) return false;
    int64_t before = 0, after = 0;
    for (ValueId v : node.operands)
      before += graph_.type(v).elements();
    for (ValueId v : node.results)
      after += graph_.type(v).elements();
    if (after > before && after > kLargestGrown) return false;
    llvm::SmallVector<Tensor, 4> operands;
    for (ValueId v : node.operands)
      operands.push_back(isConstant(v) ? *graph_.value(v).contents : Tensor{graph_.type(v), {}, {}});
    auto results = foldNode(graph_, id, operands);
    if (!results) return results.takeError();
    for (size_t j = 0; j < results->size(); ++j)
      graph_.replaceAllUses(node.results[j], graph_.addConstant("folded", std::move((*results)[j])));
    return true;
  }

  /// The value of a constant of one element.
  std::optional<double> scalar(ValueId v) const {
    if (!isConstant(v) || graph_.type(v).elements() != 1) return std::nullopt;
    return toArray(*graph_.value(v).contents).data[0];
  }

  /// A simpler value that the node's result equals, or kNone. May rewrite the operands of the node.
  ValueId simplify(NodeId id) {
    const Node node = graph_.node(id);
    const Type &type = graph_.type(node.results[0]);
    if (node.operands.empty()) return kNone;
    ValueId x = node.operands[0];
    if ((node.is("reshape") || node.is("cast") || node.is("expand")) && graph_.type(x) == type) return x;
    if (node.is("slice") && graph_.type(x) == type) return x;
    const Node *from = graph_.producer(x);
    if (node.is("neg") && from && from->is("full")) return negated(id, from->attributes.real("value"));
    // A cast to a wider float and back is exact.
    if (node.is("cast") && from && from->is("cast") && graph_.type(from->operands[0]) == type && isSmall(type.dtype) &&
        isFloat(graph_.type(x).dtype) && !isSmall(graph_.type(x).dtype))
      return from->operands[0];
    if (node.is("reshape") && from && from->is("reshape")) {
      if (graph_.type(from->operands[0]) == type) return from->operands[0];
      graph_.setOperand(id, 0, from->operands[0]);
      return kNone;
    }
    if (node.is("transpose")) return simplifyTranspose(id, x, from);
    for (unsigned k = 0; k < 2 && node.operands.size() == 2; ++k) {
      ValueId other = node.operands[1 - k];
      std::optional<double> value = scalar(node.operands[k]);
      if (!value || !(graph_.type(other) == type)) continue;
      if ((node.is("mul") && *value == 1) || (node.is("add") && *value == 0)) return other;
      if (k == 1 &&
          ((node.is("div") && *value == 1) || (node.is("sub") && *value == 0) || (node.is("pow") && *value == 1)))
        return other;
    }
    return kNone;
  }

  ValueId negated(NodeId id, double value) {
    Builder b(graph_, id);
    b.origin = graph_.node(id).origin;
    b.backward = graph_.node(id).backward;
    return b.full(graph_.type(graph_.node(id).results[0]), 0 - value);
  }

  ValueId simplifyTranspose(NodeId id, ValueId x, const Node *from) {
    llvm::ArrayRef<int64_t> given = graph_.node(id).attributes.integers("perm");
    llvm::SmallVector<int64_t, 6> perm(given.begin(), given.end());
    auto isIdentity = [](llvm::ArrayRef<int64_t> p) {
      for (size_t i = 0; i < p.size(); ++i)
        if (p[i] != int64_t(i)) return false;
      return true;
    };
    if (isIdentity(perm)) return x;
    if (!from || !from->is("transpose")) return kNone;
    llvm::ArrayRef<int64_t> inner = from->attributes.integers("perm");
    for (int64_t &p : perm)
      p = inner[p];
    ValueId source = from->operands[0];
    if (isIdentity(perm)) return source;
    graph_.node(id).attributes.set("perm", perm);
    graph_.setOperand(id, 0, source);
    return kNone;
  }

  void shareEqual(NodeId id) {
    for (unsigned k = 0; k < graph_.node(id).operands.size(); ++k)
      if (ValueId operand = graph_.node(id).operands[k]; firstEqual(operand) != operand)
        graph_.setOperand(id, k, firstEqual(operand));
    const Node &node = graph_.node(id);
    std::string key = node.op.str();
    llvm::raw_string_ostream os(key);
    // Kept apart from casts of the forward, since lower-gradients prefers a second cast to keeping an f32 value.
    if (node.is("cast") && node.backward) os << "again";
    for (ValueId operand : node.operands)
      os << "," << operand;
    for (ValueId result : node.results)
      os << ":" << graph_.type(result).text();
    for (const auto &[name, value] : node.attributes.all()) {
      os << ";" << name << "=";
      if (const auto *i = std::get_if<int64_t>(&value)) os << *i;
      if (const auto *r = std::get_if<double>(&value)) os.write(reinterpret_cast<const char *>(r), sizeof *r);
      if (const auto *t = std::get_if<std::string>(&value)) os << *t;
      if (const auto *list = std::get_if<llvm::SmallVector<int64_t, 6>>(&value)) llvm::interleave(*list, os, ",");
    }
    auto [at, isNew] = seen_.try_emplace(os.str(), id);
    if (isNew) return;
    const Node &first = graph_.node(at->second);
    for (size_t j = 0; j < node.results.size(); ++j)
      graph_.replaceAllUses(node.results[j], first.results[j]);
  }

  /// The first constant with the same type and bytes. An exporter's many copies of a number or table would otherwise
  /// keep equal nodes apart.
  ValueId firstEqual(ValueId v) {
    if (!isConstant(v)) return v;
    auto [known, isNew] = firsts_.try_emplace(v, v);
    if (!isNew) return known->second;
    llvm::ArrayRef<uint8_t> bytes = graph_.value(v).contents->bytes;
    llvm::StringRef text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
    constexpr size_t kShort = 32;
    return known->second =
               constants_.try_emplace({graph_.type(v).text(), text.size() <= kShort ? text.str() : digestOf(text)}, v)
                   .first->second;
  }

  Graph &graph_;
  std::map<std::string, NodeId> seen_;
  llvm::DenseMap<ValueId, ValueId> firsts_;                          // only looked up
  std::map<std::pair<std::string, std::string>, ValueId> constants_; // by type, and bytes or their digest
};

} // namespace

llvm::Error canonicalise(Graph &graph) { return Canonicaliser(graph).run(); }

} // namespace autotp
