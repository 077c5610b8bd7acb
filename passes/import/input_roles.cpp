#include "passes/import/input_roles.h"

#include "runtime/base/error.h"

namespace autotp {
namespace {

constexpr const char *kRoles[] = {"tokens", "labels", "next-labels", "ones", "positions", "data"};

struct Found {
  std::string role;
  int64_t limit = 0;
};

/// Follows a value through operators that move elements. `isShifted`: a part was cut off on the way.
void follow(const Graph &graph, ValueId value, bool isShifted, int depth, Found &found) {
  constexpr int kDeepest = 64;
  if (depth > kDeepest) return;
  for (Use use : graph.value(value).uses) {
    const Node &node = graph.node(use.node);
    if (node.is("gather") && use.operand == 1) found = {"tokens", graph.type(node.operands[0]).shape[0]};
    if (node.is("cross_entropy") && use.operand == 1) {
      const Node *logits = graph.producer(node.operands[0]);
      while (logits && logits->is("reshape"))
        logits = graph.producer(logits->operands[0]);
      bool cutsLogits = logits && logits->is("slice"); // hand-written shifts cut the last logits
      if (found.role != "tokens")
        found = {isShifted || cutsLogits ? "labels" : "next-labels", graph.type(node.operands[0]).shape[1]};
    }
    if (node.is("reshape") || node.is("cast") || node.is("transpose") || node.is("expand") || node.is("concat") ||
        node.is("slice"))
      follow(graph, node.results[0], isShifted || node.is("slice"), depth + 1, found);
  }
}

} // namespace

llvm::Expected<std::vector<InputRole>> inputRoles(const Graph &graph, const llvm::StringMap<std::string> &given) {
  std::vector<InputRole> roles;
  llvm::Error errors = llvm::Error::success();
  for (ValueId id : graph.sources(ValueKind::Input)) {
    const Value &input = graph.value(id);
    Found found;
    follow(graph, id, false, 0, found);
    // Labels of rows that are no sequence have nothing to be shifted along: they are data with a limit.
    if (found.role == "next-labels" && input.type.shape.size() < 2) found.role = "data";
    if (found.role.empty() && isFloat(input.type.dtype)) found.role = "data";
    if (auto at = given.find(input.name); at != given.end()) found.role = at->second;
    if (!llvm::is_contained(kRoles, found.role))
      errors =
          llvm::joinErrors(std::move(errors), problem("input '" + escaped(input.name) + "'",
                                                      found.role.empty() ? "what it means cannot be told from the graph"
                                                                         : "'" + escaped(found.role) + "' is no role",
                                                      "say it with --input " + escaped(input.name) +
                                                          "=tokens|labels|next-labels|ones|positions|data"));
    roles.push_back({input.name, found.role, found.limit});
  }
  for (const auto &row : given)
    if (llvm::none_of(roles, [&](const InputRole &role) { return role.name == row.getKey(); }))
      errors = llvm::joinErrors(std::move(errors),
                                problem("--input", "the model has no input '" + escaped(row.getKey()) + "'"));
  if (errors) return errors;
  return roles;
}

} // namespace autotp
