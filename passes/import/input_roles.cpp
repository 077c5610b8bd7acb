#include "passes/import/input_roles.h"

#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include <set>
#include <tuple>

namespace autotp {
namespace {

constexpr const char *kUnused = "unused"; // not a role that the user can give
constexpr const char *kRoles[] = {"tokens", "labels", "next-labels", "ones", "positions", "data"};

constexpr int64_t kNoLabel = INT64_MIN; // ignore_index of a cross_entropy in which every label counts

struct Found {
  std::string role;
  int64_t limit = 0;
  bool isLookup = false, isTurned = false, isScoreMask = false; ///< whether it reaches a lookup, a sine, a softmax
  bool isWeakLookup = false; ///< whether it only looks up a vector, or looks up rows after some elements were replaced
  /// The role of an input that is compared with a negative number, as labels that do not count are.
  std::string roleOfIgnored;
  std::set<int64_t> ignored; ///< labels that a loss leaves out, or that are replaced before one is picked
};

constexpr const char *kMoves[] = {"reshape", "cast", "transpose", "expand", "concat", "slice", "max", "min"};
constexpr const char *kElementwise[] = {"add",  "sub",        "mul",   "neg",     "equal",
                                        "less", "less_equal", "where", "greater", "greater_equal",
                                        "and",  "or",         "not",   "matmul",  "wrap_index"};

bool isOneOf(const Node &node, llvm::ArrayRef<const char *> names) {
  return llvm::any_of(names, [&](const char *name) { return node.is(name); });
}

/// Follows an input to the operators that determine its role.
class Follower {
public:
  explicit Follower(const Graph &graph) : graph_(graph) {}

  /// What happened to the input's elements so far: only moved or clamped, some replaced by a constant, or computed
  /// with.
  enum class Are : uint8_t { Moved, Replaced, Computed };

  /// `isShifted`: a slice cut off a part on the way. `replaced`: the only number that was replaced, or kNoLabel.
  void follow(ValueId value, bool isShifted, Are elements, int64_t replaced = kNoLabel) {
    if (!seen_.insert({value, isShifted, elements, replaced}).second) return;
    const bool isMoved = elements != Are::Computed;
    for (Use use : graph_.value(value).uses) {
      const Node &node = graph_.node(use.node);
      if (isMoved && node.is("gather") && use.operand == 1) {
        const Shape &table = graph_.type(node.operands[0]).shape;
        // A weak sign, since the labels of an encoder-decoder may be the decoder's tokens too.
        const bool isWeak = table.size() == 1 || elements == Are::Replaced;
        (isWeak ? found.isWeakLookup : found.isLookup) = true;
        bound(table[0]);
      }
      const bool picks = node.is("cross_entropy") || node.is("gather_elements");
      if (isMoved && picks && use.operand == 1) {
        labelsOf(node, isShifted);
        ignore(replaced);
        if (node.is("cross_entropy")) ignore(node.attributes.integer("ignore_index", kNoLabel));
      }
      if (isMoved && node.is("equal")) oneHot(node, use.operand, isShifted);
      found.isTurned |= node.is("sin") || node.is("cos");
      found.isScoreMask |= node.is("softmax");
      bool isMove = isOneOf(node, kMoves) || (node.is("gather") && use.operand == 0);
      if (isMove) follow(node.results[0], isShifted || node.is("slice"), elements, replaced);
      if (isMoved && replacesSome(node, use.operand))
        follow(node.results[0], isShifted, Are::Replaced, replacedBy(node, use.operand));
      if (isOneOf(node, kElementwise)) follow(node.results[0], isShifted, Are::Computed);
    }
  }

  Found found;

private:
  void labelsOf(const Node &loss, bool isShifted) {
    const Node *logits = graph_.producer(loss.operands[0]);
    while (logits && (logits->is("reshape") || logits->is("log_softmax")))
      logits = graph_.producer(logits->operands[0]);
    bool cutsLogits = logits && logits->is("slice"); // models that shift labels by hand cut off the last logits
    labels(isShifted || cutsLogits, graph_.type(loss.operands[0]).shape.back());
  }

  void labels(bool isShifted, int64_t classes) {
    found.role = isShifted ? "labels" : "next-labels";
    bound(classes);
  }

  /// A comparison with 0, 1, .. along the last dimension is a lookup if a product follows, and otherwise picks labels.
  void oneHot(const Node &compares, unsigned operand, bool isShifted) {
    const Value &numbers = graph_.value(compares.operands[1 - operand]);
    const int64_t classes = numbers.type.shape.empty() ? 0 : numbers.type.shape.back();
    if (numbers.kind == ValueKind::Constant && numbers.type.elements() == 1 && toArray(*numbers.contents).data[0] < 0)
      found.roleOfIgnored = isShifted ? "labels" : "next-labels";
    if (numbers.kind != ValueKind::Constant || classes < 2 || numbers.type.elements() != classes) return;
    const Array counted = toArray(*numbers.contents);
    for (int64_t i = 0; i < classes; ++i)
      if (counted.data[size_t(i)] != double(i)) return;
    if (!reachesProduct(compares.results[0])) return labels(isShifted, classes);
    found.isLookup = true;
    bound(classes);
  }

  bool reachesProduct(ValueId value) const {
    return llvm::any_of(graph_.value(value).uses, [&](Use use) {
      const Node &node = graph_.node(use.node);
      return node.is("matmul") ||
             ((node.is("cast") || node.is("reshape") || node.is("where")) && reachesProduct(node.results[0]));
    });
  }

  /// Whether the node replaces some of the operand's elements by a constant, as for labels that do not count.
  bool replacesSome(const Node &node, unsigned operand) const {
    return node.is("where") && operand > 0 && graph_.value(node.operands[3 - operand]).kind == ValueKind::Constant;
  }

  /// The number that a choice replaces, as 255 in where(equal(x, 255), 0, x) or where(not(equal(x, 255)), x, 0);
  /// kNoLabel if there is none.
  int64_t replacedBy(const Node &choice, unsigned kept) const {
    const Node *compares = graph_.producer(choice.operands[0]);
    const bool isNegated = compares && compares->is("not");
    if (isNegated) compares = graph_.producer(compares->operands[0]);
    if (!compares || !compares->is("equal") || kept != (isNegated ? 1 : 2)) return kNoLabel;
    for (ValueId operand : compares->operands)
      if (const Value &number = graph_.value(operand);
          number.kind == ValueKind::Constant && number.type.elements() == 1)
        return int64_t(toArray(*number.contents).data[0]);
    return kNoLabel;
  }

  void ignore(int64_t label) {
    if (label != kNoLabel) found.ignored.insert(label);
  }

  void bound(int64_t limit) { found.limit = found.limit ? std::min(found.limit, limit) : limit; }

  const Graph &graph_;
  std::set<std::tuple<ValueId, bool, Are, int64_t>> seen_;
};

/// The evidence of one input. Only integers can be indices, positions or masks; a lookup overrules all other uses.
Found foundOf(const Graph &graph, ValueId input) {
  Follower follower(graph);
  follower.follow(input, false, Follower::Are::Moved);
  Found found = follower.found;
  const Type &type = graph.type(input);
  if (isFloat(type.dtype)) return found.role = "data", found;
  if (found.isLookup || (found.isWeakLookup && found.role.empty())) found.role = "tokens";
  if (found.role.empty()) found.role = found.roleOfIgnored;
  // Labels without a sequence cannot be shifted, so they are data with a limit.
  if (found.role == "next-labels" && type.shape.size() < 2) found.role = "data";
  if (found.role.empty() && found.isTurned) found.role = "positions";
  if (found.role.empty() && found.isScoreMask) found.role = "ones";
  return found;
}

/// If several inputs look up tables, those of the largest table are the tokens. An input whose table has a row for each
/// place of the sequence holds positions, and one with a smaller table, such as token types, is data.
void tellLookupsApart(const Graph &graph, llvm::ArrayRef<ValueId> inputs, llvm::MutableArrayRef<Found> found) {
  int64_t largest = 0;
  for (const Found &one : found)
    if (one.role == "tokens") largest = std::max(largest, one.limit);
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].role != "tokens" || found[i].limit == largest) continue;
    const Shape &shape = graph.type(inputs[i]).shape;
    found[i].role = !shape.empty() && found[i].limit >= shape.back() ? "positions" : "data";
  }
}

} // namespace

std::string textOf(const InputRole &input) {
  std::string text = "input       " + escaped(input.name) + ": " + input.role;
  if (input.bounds.empty() && input.limit) text += ", below " + std::to_string(input.limit);
  for (const InputBound &bound : input.bounds)
    text += ", below " + std::to_string(bound.limit) + " for " + escaped(bound.of);
  for (int64_t label : input.ignored)
    text += ", or " + std::to_string(label) + ", which counts nothing";
  return text + (input.isBatched || input.role == "unused" ? "" : ", the same for all samples of a step");
}

llvm::Expected<std::vector<InputRole>> inputRoles(const Graph &graph, const llvm::StringMap<std::string> &given) {
  std::vector<InputRole> roles;
  llvm::Error errors = llvm::Error::success();
  std::vector<ValueId> inputs = graph.sources(ValueKind::Input);
  std::vector<Found> all;
  all.reserve(inputs.size());
  for (ValueId id : inputs)
    all.push_back(foundOf(graph, id));
  tellLookupsApart(graph, inputs, all);
  for (const auto &[i, id] : indexed(inputs)) {
    const Value &input = graph.value(id);
    Found found = all[i];
    if (input.uses.empty()) found.role = kUnused;
    if (auto at = given.find(input.name); at != given.end()) found.role = at->second;
    if (found.role != kUnused && !llvm::is_contained(kRoles, found.role))
      errors =
          llvm::joinErrors(std::move(errors), problem("input '" + escaped(input.name) + "'",
                                                      found.role.empty() ? "what it means cannot be told from the graph"
                                                                         : "'" + escaped(found.role) + "' is no role",
                                                      "say it with --input " + escaped(input.name) +
                                                          "=tokens|labels|next-labels|ones|positions|data"));
    roles.push_back({input.name, found.role, found.limit});
    for (int64_t label : found.ignored) // a looked-up number must be a row of its table
      if (label >= found.limit && !found.isLookup) roles.back().ignored.push_back(label);
  }
  for (const auto &row : given)
    if (llvm::none_of(roles, [&](const InputRole &role) { return role.name == row.getKey(); }))
      errors = llvm::joinErrors(std::move(errors),
                                problem("--input", "the model has no input '" + escaped(row.getKey()) + "'"));
  if (errors) return errors;
  return roles;
}

} // namespace autotp
