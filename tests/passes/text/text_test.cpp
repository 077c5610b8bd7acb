// Passes as text: each file beside this one holds cases of a graph before, and what passes leave of it or say of it.
//   passes: fuse-epilogues          which run, by name, with commas between; also of one case alone, below its title
//   flags: tp=2 shard=all           see flagsOf()
//   == a bias on either side        the title of a case
//   graph { ... }
//   -- after                        or -- error: the whole text that follows
// UPDATE_GOLDEN=1 writes what comes out into the files.
#include "passes/compile_options.h"
#include "passes/pipeline.h"
#include "passes/run_on_text.h"
#include "runtime/base/error.h"

#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace autotp {
namespace {

struct Case {
  std::string title;
  std::string head; ///< the lines between the title and the graph, as they are
  std::string passes, flags, before, kind, expected;
};

struct File {
  std::string path, head; ///< `head`: the lines before the first case, as they are
  std::vector<Case> cases;
};

CompileOptions flagsOf(llvm::StringRef text) {
  CompileOptions options;
  llvm::SmallVector<llvm::StringRef, 4> words;
  text.split(words, ' ', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef word : words) {
    auto [name, value] = word.split('=');
    if (name == "tp")
      options.step.tp = std::stoi(value.str());
    else if (name == "dp")
      options.step.dp = std::stoi(value.str());
    else if (name == "micro-batch")
      options.import.microBatch = std::stoi(value.str());
    else if (name == "shard" && value == "all")
      options.shard = ShardMode::All;
    else if (name == "dtype")
      options.dtype = dtypeNamed(value);
    else if (name == "recompute" && value == "layer")
      options.recompute = Recompute::Layer;
    else
      ADD_FAILURE() << "no such flag: " << word.str();
  }
  return options;
}

/// Takes "passes: ..." and "flags: ..." lines.
void readHead(llvm::StringRef line, std::string &passes, std::string &flags) {
  if (line.consume_front("passes: ")) passes = line.str();
  if (line.consume_front("flags: ")) flags = line.str();
}

File read(const std::string &path) {
  File file{path, "", {}};
  std::string passes, flags;
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer) return file;
  llvm::SmallVector<llvm::StringRef, 0> lines;
  (*buffer)->getBuffer().split(lines, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::string *part = &file.head;
  for (llvm::StringRef line : lines) {
    if (line.startswith("== ")) {
      file.cases.push_back({line.drop_front(3).str(), "", passes, flags, "", "", ""});
      part = &file.cases.back().head;
    } else if (!file.cases.empty() && (line == "-- after" || line == "-- error")) {
      file.cases.back().kind = line.drop_front(3).str();
      part = &file.cases.back().expected;
    } else {
      if (!file.cases.empty() && part == &file.cases.back().head && line.startswith("graph"))
        part = &file.cases.back().before;
      *part += line.str() + "\n";
      if (part == &file.head) readHead(line, passes, flags);
      if (!file.cases.empty() && part == &file.cases.back().head)
        readHead(line, file.cases.back().passes, file.cases.back().flags);
    }
  }
  return file;
}

/// The kind of what comes out, and its text.
std::pair<std::string, std::string> outcome(const Case &given) {
  std::vector<std::string> names;
  llvm::SmallVector<llvm::StringRef, 4> parts;
  llvm::StringRef(given.passes).split(parts, ',');
  for (llvm::StringRef part : parts)
    names.push_back(part.trim().str());
  llvm::Expected<std::string> left = runOnText(given.before, names, flagsOf(given.flags));
  if (!left) return {"error", describe(left.takeError()) + "\n"};
  return {"after", *left};
}

class TextCase : public testing::Test {
public:
  explicit TextCase(Case given) : given_(std::move(given)) {}
  void TestBody() override {
    auto [kind, text] = outcome(given_);
    EXPECT_EQ(kind, given_.kind) << text;
    EXPECT_EQ(text, given_.expected);
  }

private:
  Case given_;
};

void update(File file) {
  std::ofstream os(file.path);
  os << file.head;
  for (const Case &c : file.cases) {
    auto [kind, text] = outcome(c);
    os << "== " << c.title << "\n" << c.head << c.before << "-- " << kind << "\n" << text;
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
    File file = read(path);
    if (std::getenv("UPDATE_GOLDEN")) update(file);
    for (const Case &c : read(path).cases)
      testing::RegisterTest(std::filesystem::path(path).stem().c_str(), testName(c.title).c_str(), nullptr, nullptr,
                            path.c_str(), 0, [c]() -> testing::Test * { return new TextCase(c); });
  }
  return RUN_ALL_TESTS();
}
