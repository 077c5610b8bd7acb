#include "compiler/ir/parse.h"
#include "compiler/ir/print.h"
#include "compiler/ops/verify.h"
#include "runtime/base/error.h"

#include "gtest/gtest.h"

#include <cmath>

namespace autotp {
namespace {

llvm::StringRef intern(llvm::StringRef name) {
  const OpDef *row = findOp(name);
  return row ? llvm::StringRef(row->name) : llvm::StringRef();
}

Graph parsed(llvm::StringRef text) {
  llvm::Expected<Graph> graph = parse(text, intern);
  if (graph) return std::move(*graph);
  ADD_FAILURE() << describe(graph.takeError());
  return Graph();
}

TEST(Parse, ReadsBackWhatIsPrinted) {
  Graph graph;
  ValueId x = graph.addInput("model/x:0", Type{DType::F32, {2, 4}}),
          w = graph.addParameter("layer.0.weight", Type{DType::F32, {4}});
  ValueId state = graph.addState("m", Type{DType::F32, {}});
  Array numbers(Type{DType::F32, {4}});
  numbers.data = {0.1, -HUGE_VAL, NAN, 3e-12};
  ValueId c = graph.addConstant("add", toTensor(numbers));
  ValueId big = graph.addConstant("end", integerTensor({INT64_MAX, INT64_MIN, -1}));
  Builder b(graph);
  auto norm = b.makeMany("rms_norm", {b.make("add", {x, c}), w}, {{"epsilon", 1e-6}});
  ValueId sum = b.make("reduce_sum", {b.make("add", {norm[0], c})},
                       {{"axes", llvm::SmallVector<int64_t, 6>{0, 1}}, {"keepdims", int64_t(0)}});
  b.backward = true;
  ValueId y = b.make("add", {sum, b.full(Type{DType::F32, {}}, 2)});
  b.makeTyped("cast", {big}, Type{DType::I32, {3}});
  graph.outputs = {{"loss", b.make("mul", {y, state})}, {"", c}};
  graph.outputs[1].name = "copy";
  std::string text = printed(graph);
  Graph again = parsed(text);
  EXPECT_EQ(printed(again), text);
  EXPECT_FALSE(bool(verify(again)));
  EXPECT_EQ(printed(parsed(printed(again))), text);
}

TEST(Parse, KeepsAttributesOfEveryKind) {
  std::string text = "graph {\n  input %x : f32[4]\n  %y = all_reduce(%x) {a=-3, b=2.0, c=1e-05, d=inf, e=\"sum, of } "
                     "all\", f=[1, -2], g=[], h=\"\"} : f32[4]\n  return y=%y\n}\n";
  EXPECT_EQ(printed(parsed(text)), text);
}

TEST(Parse, NamesMadeLaterAvoidThoseRead) {
  Graph graph = parsed(
      "graph {\n  input %x : f32[]\n  %neg_1 = neg(%x) : f32[]\n  %neg = neg(%neg_1) : f32[]\n  return y=%neg\n}\n");
  Builder b(graph);
  std::string name = graph.value(b.make("neg", {graph.output("y")})).name;
  EXPECT_NE(name, "neg");
  EXPECT_NE(name, "neg_1");
}

TEST(Parse, AnyNameAndAllContents) {
  Graph graph;
  ValueId x = graph.addInput("a b,(c)=\"%\n\\ \xc3\xa4", Type{DType::F32, {3, 3}});
  Array numbers(Type{DType::F32, {3, 3}});
  numbers.data = {1, 2, 3, 4, 5, 0.1f, 7, 8, -0.0};
  ValueId c = graph.addConstant("", toTensor(numbers));
  Builder b(graph);
  graph.outputs = {{"the sum", b.make("add", {x, c}, {{"note", "a \"quoted\" \\ text"}})}};
  std::string text = printed(graph, Contents::Whole);
  Graph again = parsed(text);
  EXPECT_EQ(printed(again, Contents::Whole), text);
  EXPECT_EQ(again.value(again.sources(ValueKind::Input)[0]).name, graph.value(x).name);
  EXPECT_EQ(again.outputs[0].name, "the sum");
  EXPECT_EQ(again.value(again.sources(ValueKind::Constant)[0]).contents->bytes, graph.value(c).contents->bytes);
  EXPECT_EQ(again.node(again.first()).attributes.text("note"), "a \"quoted\" \\ text");
}

TEST(Parse, ContentsOfParametersAndPatterns) {
  const std::string text = "graph {\n  parameter %w : f32[4] = {1, 2, 1, 2}\n  parameter %free : f32[2]\n"
                           "  parameter %big : f32[9] = hex\"" +
                           std::string(72, '0') + "\"\n  return w=%w\n}\n";
  Graph graph = parsed(text);
  EXPECT_EQ(printed(graph, Contents::Whole), text);
  EXPECT_EQ(printed(graph).find('='), printed(graph).find("=%w")) << "people do not want weights";
  Graph shorter = parsed("graph {\n  parameter %w : f32[4] = {1, 2, ...}\n  parameter %free : f32[2]\n"
                         "  parameter %big : f32[9] = {0, ...}\n  return w=%w\n}\n");
  EXPECT_EQ(printed(shorter, Contents::Whole), text);
}

TEST(Parse, DigestsHaveNoContents) {
  Graph graph = parsed("graph {\n  constant %t : f32[64] = #0123456789abcdef\n  return t=%t\n}\n");
  EXPECT_EQ(graph.value(graph.output("t")).kind, ValueKind::Constant);
  EXPECT_FALSE(graph.value(graph.output("t")).contents.has_value());
}

TEST(Parse, MistakesNameTheirLine) {
  const std::pair<const char *, const char *> kCases[] = {
      {"grph {\n}\n", "line 1: expected 'graph'"},
      {"graph {\n  input x : f32[]\n}\n", "line 2: expected '%'"},
      {"graph {\n  input %x : f33[]\n}\n", "line 2: 'f33' is no element type"},
      {"graph {\n  input %x : f32[-1]\n}\n", "line 2: a size is negative"},
      {"graph {\n  input %x : f32[4611686018427387904,4]\n}\n", "line 2: it has too many elements"},
      {"graph {\n  input %x : f32[]\n  input %x : f32[]\n}\n", "line 3: '%x' is defined twice"},
      {"graph {\n  %y = neg(%x) : f32[]\n}\n", "line 2: '%x' is not defined before it"},
      {"graph {\n  input %x : f32[]\n  %y = nag(%x) : f32[]\n}\n", "line 3: 'nag' is no operator"},
      {"graph {\n  input %x : f32[]\n  %y = neg(%x) {a=} : f32[]\n}\n", "line 3: expected a word"},
      {"graph {\n  input %x : f32[]\n  %y = neg(%x) {a=1x} : f32[]\n}\n", "line 3: '1x' is no number"},
      {"graph {\n  input %x : f32[]\n  %y, %z = neg(%x) : f32[]\n}\n", "line 3: it names 2 results and types 1"},
      {"graph {\n  constant %c : f32[3] = {1, 2}\n}\n", "line 2: it has 2 elements for f32[3]"},
      {"graph {\n  constant %c : f32[3] = {1, 2, 3, 4, ...}\n}\n", "line 2: it has 4 elements for f32[3]"},
      {"graph {\n  constant %c : f32[4611686018427387903] = {1, ...}\n}\n", "line 2: '...' makes at most"},
      {"graph {\n  constant %c : f32[3] = {...}\n}\n", "line 2: '...' is no number"},
      {"graph {\n  constant %c : f32[3] = {1, ..., 2}\n}\n", "line 2: expected '}'"},
      {"graph {\n  input %\"x : f32[]\n}\n", "line 2: a quote is not closed"},
      {"graph {\n  input %\"x\\0g\" : f32[]\n}\n", "line 2: '\\' must stand before"},
      {"graph {\n  constant %c : f32[9] = hex\"00\"\n}\n", "line 2: its bytes are not those of f32[9]"},
      {"graph {\n  constant %c : f32[9] = hex\"0g\"\n}\n", "line 2: its bytes are not those of f32[9]"},
      {"graph {\n  return y=%y\n}\n", "line 2: '%y' is not defined before it"},
      {"graph {\n  return \n  input %x : f32[]\n}\n", "line 3: nothing may follow 'return'"},
      {"graph {\n  input %x : f32[] extra\n}\n", "line 2: unexpected text"},
      {"graph {\n  return \n}\nmore\n", "line 4: nothing may follow the graph"},
      {"graph {\n  input %x : f32[]\n", "the graph is not closed"},
      {"", "the graph is not closed"},
  };
  for (auto [text, message] : kCases) {
    llvm::Expected<Graph> graph = parse(text, intern);
    ASSERT_FALSE(bool(graph)) << text;
    std::string found = describe(graph.takeError());
    EXPECT_NE(found.find(message), std::string::npos) << text << found;
  }
}

} // namespace
} // namespace autotp
