// Passes as text: each file beside this one holds cases (tests/compiler/ir/case_file.h) of a graph before, and what
// passes leave of it or say of it. What heads say:
//   passes: fuse-epilogues          which run, by name, with commas between; of all cases, or of one alone
//   flags: tp=2 shard=all           flags of autotp-compile
//   values: stay                    the outputs are also computed, before and after, see expectSameValues()
// Then "-- after" and the graph, "-- error" and the message, or "-- same": the graph is left as it was.
// UPDATE_GOLDEN=1 writes what comes out into the files.
#include "compiler/ir/print.h"
#include "compiler/ops/evaluate.h"
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/options/read_options.h"
#include "passes/pass.h"
#include "passes/pipeline.h"
#include "passes/run_on_text.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/case_file.h"
#include "tests/compiler/ir/parsed_graph.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <set>

namespace autotp {
namespace {

struct Settings {
  std::vector<std::string> passes;
  CompileOptions options;
  bool keepsValues;
};

CompileOptions flagsOf(llvm::StringRef words) {
  CompileOptions options;
  if (llvm::Error error = readWords(words, options)) ADD_FAILURE() << describe(std::move(error));
  return options;
}

/// What the heads of the case and of its file say.
Settings settingsOf(const CaseFile &file, const TextCase &c) {
  auto either = [&](llvm::StringRef name) { return said(c.head, name, said(file.head, name)); };
  Settings settings{{}, flagsOf(either("flags")), either("values") == "stay"};
  const std::string passes = either("passes");
  llvm::SmallVector<llvm::StringRef, 4> names;
  llvm::StringRef(passes).split(names, ',');
  for (llvm::StringRef name : names)
    settings.passes.push_back(name.trim().str());
  return settings;
}

/// The kind of what comes out, and its text.
std::pair<std::string, std::string> outcome(const Settings &settings, const std::string &graph) {
  llvm::Expected<std::string> left = runOnText(graph, settings.passes, settings.options);
  if (!left) return {"error", describe(left.takeError()) + "\n"};
  if (*left == printed(graphOf(graph))) return {"same", ""};
  return {"after", *left};
}

/// Row `part` of the global graph's inputs, for a graph with smaller ones; parameters are whole.
Sources sourcesOf(const Graph &global, const Graph &graph, int64_t part) {
  Sources sources;
  std::mt19937 random(7);
  for (ValueKind kind : {ValueKind::Input, ValueKind::Parameter})
    for (auto [of, id] : llvm::zip(global.sources(kind), graph.sources(kind))) {
      Array all(global.type(of)), mine(graph.type(id));
      for (double &v : all.data)
        v = double(random() % 2001) / 1000.0 - 1;
      if (!isFloat(all.type.dtype))
        for (double &v : all.data)
          v = v > -0.5;
      const size_t size = mine.data.size(), begin = size < all.data.size() ? size_t(part) * size : 0;
      std::copy_n(all.data.begin() + int64_t(begin), size, mine.data.begin());
      sources[id] = mine;
    }
  return sources;
}

/// The outputs of the graph that passes on the global graph leave are those of the one before; if its batch is smaller,
/// their mean over all micro-batches is.
void expectSameValues(const Settings &settings, const std::string &text, int64_t microBatch) {
  const Graph global = graphOf(text);
  Graph graph = parsed(text);
  CompiledModel compiled;
  PassState state{settings.options, compiled};
  state.microBatch = microBatch;
  for (const std::string &name : settings.passes) {
    const Pass &pass = *llvm::find_if(allPasses(), [&](const Pass &row) { return row.name == name; });
    llvm::cantFail(std::get<GraphPass>(pass.run)(graph, state));
  }
  const int64_t parts =
      microBatch ? global.type(global.sources(ValueKind::Input)[0]).shape[0] / microBatch : int64_t(1);
  const std::vector<Array> before = llvm::cantFail(evaluateGraph(global, sourcesOf(global, global, 0)));
  std::vector<std::vector<Array>> after;
  for (int64_t part = 0; part < parts; ++part)
    after.push_back(llvm::cantFail(evaluateGraph(graph, sourcesOf(global, graph, part))));
  ASSERT_EQ(global.outputs.size(), graph.outputs.size());
  for (auto [was, is] : llvm::zip(global.outputs, graph.outputs)) {
    ASSERT_EQ(global.type(was.value), graph.type(is.value)) << was.name;
    for (size_t i = 0; i < before[was.value].data.size(); ++i) {
      double mean = 0;
      for (const std::vector<Array> &values : after)
        mean += values[is.value].data[i] / double(parts);
      ASSERT_NEAR(before[was.value].data[i], mean, 1e-12) << text << printed(graph);
    }
  }
}

class TextTest : public testing::Test {
public:
  TextTest(Settings settings, TextCase given) : settings_(std::move(settings)), given_(std::move(given)) {}
  void TestBody() override {
    for (const std::string &graph : spellings(given_.graph)) {
      auto [kind, text] = outcome(settings_, graph);
      EXPECT_EQ(kind, given_.kind) << graph << text;
      EXPECT_EQ(text, given_.expected) << graph;
      if (!settings_.keepsValues || kind == "error" || HasFailure()) continue;
      const int64_t given = settings_.options.import.microBatch;
      for (int64_t microBatch : std::set<int64_t>{given, std::min<int64_t>(given, 1)})
        expectSameValues(settings_, graph, microBatch);
    }
  }

private:
  Settings settings_;
  TextCase given_;
};

void update(const CaseFile &file) {
  std::ofstream os(file.path);
  os << file.head;
  for (const TextCase &c : file.cases) {
    auto [kind, text] = outcome(settingsOf(file, c), spellings(c.graph)[0]);
    os << "== " << c.title << "\n" << c.head << c.graph << "-- " << kind << "\n" << text;
  }
}

std::vector<std::string> textFiles() {
  std::vector<std::string> paths;
  for (const auto &entry : std::filesystem::directory_iterator(AUTOTP_SOURCE_DIR "/tests/passes/text"))
    if (entry.path().extension() == ".ir") paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// "a bias, on either side" as GoogleTest names tests.
std::string testName(const std::string &title) {
  std::string name;
  for (char c : title)
    name += llvm::isAlnum(c) ? c : '_';
  return name;
}

} // namespace
} // namespace autotp

int main(int argc, char **argv) {
  using namespace autotp;
  testing::InitGoogleTest(&argc, argv);
  for (const std::string &path : textFiles()) {
    if (std::getenv("UPDATE_GOLDEN")) update(readCases(path));
    const CaseFile file = readCases(path);
    for (const TextCase &c : file.cases)
      testing::RegisterTest(std::filesystem::path(path).stem().c_str(), testName(c.title).c_str(), nullptr, nullptr,
                            path.c_str(), 0, [=]() -> testing::Test * { return new TextTest(settingsOf(file, c), c); });
  }
  return RUN_ALL_TESTS();
}
