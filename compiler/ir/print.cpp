#include "compiler/ir/print.h"

#include "runtime/base/digest.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

namespace autotp {
namespace {

std::string quoted(llvm::StringRef text) {
  std::string result;
  llvm::raw_string_ostream os(result);
  os << "\"";
  llvm::printEscapedString(text, os);
  os << "\"";
  return os.str();
}

std::string nameText(llvm::StringRef name) {
  bool isPlain = !name.empty() &&
                 llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || llvm::StringRef("_./:$@+-").contains(c); });
  return isPlain ? name.str() : quoted(name);
}

std::string contentsText(const std::optional<Tensor> &tensor, Contents contents) {
  constexpr int64_t kMostPrinted = 8;
  if (!tensor) return "#none"; // it was parsed from a digest
  Array array = toArray(*tensor);
  std::string text;
  llvm::raw_string_ostream os(text);
  if (array.type.elements() <= kMostPrinted) {
    os << "{";
    llvm::interleave(
        array.data, os, [&](double v) { os << llvm::format("%.17g", v); }, ", ");
    os << "}";
  } else if (contents == Contents::Whole) {
    os << "hex\"" << llvm::toHex(tensor->bytes) << "\"";
  } else {
    os << "#" << digestOf(llvm::toStringRef(tensor->bytes)).substr(0, 16);
  }
  return os.str();
}

void printAttribute(const std::pair<std::string, Attributes::Value> &row, llvm::raw_ostream &os) {
  os << row.first << "=";
  if (const auto *integer = std::get_if<int64_t>(&row.second)) os << *integer;
  if (const auto *real = std::get_if<double>(&row.second)) {
    std::string text = llvm::formatv("{0}", llvm::format("%.9g", *real)).str();
    os << text << (text.find_first_of(".en") == std::string::npos ? ".0" : "");
  }
  if (const auto *text = std::get_if<std::string>(&row.second)) os << quoted(*text);
  if (const auto *list = std::get_if<llvm::SmallVector<int64_t, 6>>(&row.second)) {
    os << "[";
    llvm::interleave(*list, os, ", ");
    os << "]";
  }
}

void printNode(const Graph &graph, const Node &node, llvm::raw_ostream &os, const Annotate &annotate) {
  os << "  ";
  llvm::interleave(
      node.results, os, [&](ValueId r) { os << "%" << nameText(graph.value(r).name); }, ", ");
  os << " = " << node.op << "(";
  llvm::interleave(
      node.operands, os, [&](ValueId v) { os << "%" << nameText(graph.value(v).name); }, ", ");
  os << ")";
  if (!node.attributes.all().empty()) {
    os << " {";
    llvm::interleave(
        node.attributes.all(), os, [&](const auto &row) { printAttribute(row, os); }, ", ");
    os << "}";
  }
  os << " : ";
  llvm::interleave(
      node.results, os, [&](ValueId r) { os << graph.type(r).text() << annotate(r); }, ", ");
  if (node.backward) os << "  # backward";
  os << "\n";
}

} // namespace

void print(const Graph &graph, llvm::raw_ostream &os, const Annotate &annotate, Contents contents) {
  os << "graph {\n";
  constexpr std::pair<ValueKind, const char *> kKinds[] = {{ValueKind::Input, "input"},
                                                           {ValueKind::Parameter, "parameter"},
                                                           {ValueKind::State, "state"},
                                                           {ValueKind::Constant, "constant"}};
  for (auto [kind, word] : kKinds)
    for (ValueId id : graph.sources(kind)) {
      const Value &value = graph.value(id);
      if (kind == ValueKind::Constant && value.uses.empty() && !graph.isOutput(id)) continue;
      os << "  " << word << " %" << nameText(value.name) << " : " << value.type.text() << annotate(id);
      const bool isKnownParameter = kind == ValueKind::Parameter && value.contents && contents == Contents::Whole;
      if (kind == ValueKind::Constant || isKnownParameter) os << " = " << contentsText(value.contents, contents);
      os << "\n";
    }
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next)
    printNode(graph, graph.node(id), os, annotate);
  os << "  return ";
  llvm::interleave(
      graph.outputs, os,
      [&](const Output &o) { os << nameText(o.name) << "=%" << nameText(graph.value(o.value).name); }, ", ");
  os << "\n}\n";
}

std::string printed(const Graph &graph, Contents contents) {
  std::string text;
  llvm::raw_string_ostream os(text);
  print(
      graph, os, [](ValueId) { return std::string(); }, contents);
  return os.str();
}

} // namespace autotp
