// Reads every #include of the project against the arrows that docs allow: a linker does not see an include of inline
// code.
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <set>

namespace {

/// folder -> what it may include, besides itself. `passes/*` stands for each folder of passes.
const std::map<std::string, std::set<std::string>> kArrows = {
    {"compiler/ir", {"runtime/base", "runtime/plan"}},
    {"compiler/axes", {"compiler/ir", "runtime/base", "runtime/plan"}},
    {"compiler/ops", {"compiler/axes", "compiler/ir", "runtime/base", "runtime/plan"}},
    {"compiler/sharding", {"compiler/axes", "compiler/ir", "compiler/ops", "runtime/base", "runtime/plan"}},
    {"compiler/certify", {"compiler/axes", "compiler/ir", "compiler/ops", "runtime/base", "runtime/plan"}},
    {"compiler/onnx", {"compiler/ir", "compiler/ops", "runtime/base", "runtime/plan"}},
    {"passes/*",
     {"compiler/axes", "compiler/ir", "compiler/ops", "compiler/sharding", "runtime/base", "runtime/plan",
      "runtime/checkpoint"}}, // weights that a plan begins with
    {"runtime/base", {}},
    {"runtime/options", {"runtime/base"}},
    {"runtime/plan", {"runtime/base"}},
    {"runtime/device", {"runtime/base", "runtime/plan"}},
    {"runtime/comm", {"runtime/base", "runtime/plan", "runtime/device"}},
    {"runtime/data", {"runtime/base", "runtime/plan"}},
    {"runtime/checkpoint", {"runtime/base", "runtime/plan"}},
    {"runtime/execute", {"runtime/base", "runtime/plan", "runtime/device", "runtime/comm"}},
    {"runtime/train",
     {"runtime/base", "runtime/options", "runtime/plan", "runtime/checkpoint", "runtime/device", "runtime/comm",
      "runtime/data", "runtime/execute"}},
};

/// The list of passes, which lies in passes/ itself, what reports on all of them, and the options of all of them know
/// every folder.
bool knowsAllPasses(llvm::StringRef file) {
  return file.startswith("passes/report/") || file.startswith("passes/options/") ||
         (file.startswith("passes/") && file.count('/') == 1);
}

std::string folderOf(llvm::StringRef file) {
  llvm::SmallVector<llvm::StringRef, 4> parts;
  file.split(parts, '/');
  return parts.size() > 2 ? parts[0].str() + "/" + parts[1].str() : parts[0].str();
}

/// Folders of the certificate: each may include those before it.
constexpr llvm::StringLiteral kCertifyFolders[] = {"values", "contents", "moves", "operators",
                                                   "state",  "rules",    "walk"};

/// Where a file's folder stands among them; nowhere if it lies in compiler/certify itself.
const llvm::StringLiteral *certifyFolder(llvm::StringRef file) {
  return llvm::find(kCertifyFolders, file.substr(llvm::StringRef("compiler/certify/").size()).split('/').first);
}

bool isAllowed(const std::string &file, const std::string &included) {
  std::string from = folderOf(file), to = folderOf(included);
  if (from == "compiler/certify" && to == from && certifyFolder(included) != std::end(kCertifyFolders))
    return certifyFolder(included) <= certifyFolder(file);
  llvm::StringRef target(to);
  if (target.startswith("tests") || target.startswith("tools")) return llvm::StringRef(file).startswith("tools");
  if (from == to || llvm::StringRef(file).startswith("tools") || llvm::StringRef(file).startswith("models"))
    return true;
  if (knowsAllPasses(file))
    return target.startswith("passes") || target.startswith("compiler") || to == "runtime/base" ||
           to == "runtime/options" || to == "runtime/plan" || to == "runtime/checkpoint";
  auto row = kArrows.find(llvm::StringRef(from).startswith("passes/") ? "passes/*" : from);
  return row != kArrows.end() && row->second.count(to);
}

/// NVIDIA's headers stay where a build without them can leave the folder out.
bool mayIncludeSystem(llvm::StringRef file, llvm::StringRef header) {
  for (llvm::StringRef vendor : {"cuda", "cublas", "nccl", "nvtx", "library_types"})
    if (header.startswith(vendor))
      return file.startswith("runtime/device/cuda/") || file.startswith("runtime/comm/nccl/");
  return true;
}

/// The emulation of the GPU's kernel language stands outside the layers: tests build the cuda folders against it.
bool isOutside(llvm::StringRef file, llvm::StringRef head) {
  return head == "llvm" || (head == "emulation" && file == "runtime/device/cuda/launch.h");
}

bool isSource(llvm::StringRef extension) {
  return extension == ".h" || extension == ".cpp" || extension == ".cu" || extension == ".cuh";
}

TEST(Layers, EveryIncludeFollowsAnArrow) {
  namespace fs = std::filesystem;
  fs::path root = AUTOTP_SOURCE_DIR;
  int seen = 0;
  for (const char *top : {"compiler", "passes", "runtime", "tools", "models"})
    for (const auto &entry : fs::recursive_directory_iterator(root / top)) {
      if (!isSource(entry.path().extension().string())) continue;
      std::string file = fs::relative(entry.path(), root).string(), line;
      std::ifstream stream(entry.path());
      while (std::getline(stream, line)) {
        llvm::StringRef text(line);
        if (llvm::StringRef header = text; header.consume_front("#include <")) {
          EXPECT_TRUE(mayIncludeSystem(file, header)) << file << " includes <" << header.split('>').first.str();
        }
        if (!text.consume_front("#include \"")) continue;
        std::string included = text.split('"').first.str();
        llvm::StringRef head = llvm::StringRef(included).split('/').first;
        if (isOutside(file, head)) continue;
        ++seen;
        EXPECT_TRUE(isAllowed(file, included)) << file << " includes " << included;
      }
    }
  EXPECT_GT(seen, 200) << "the tree was not read";
}

/// Files of the project in the longest chain of includes that begins with this one.
int chainLength(const std::string &file, std::map<std::string, int> &known) {
  if (auto at = known.find(file); at != known.end()) return at->second;
  int longest = 0;
  std::ifstream stream(std::filesystem::path(AUTOTP_SOURCE_DIR) / file);
  if (!stream) return known[file] = file.find(".pb.h") != std::string::npos; // a system's header, or a generated one
  for (std::string line; std::getline(stream, line);)
    if (llvm::StringRef text = line; text.consume_front("#include \""))
      longest = std::max(longest, chainLength(text.split('"').first.str(), known));
  return known[file] = longest + 1;
}

TEST(Layers, IncludeChainsOfTheCertificateAreShort) {
  const std::filesystem::path root = AUTOTP_SOURCE_DIR;
  std::map<std::string, int> known;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(root / "compiler/certify"))
    if (isSource(entry.path().extension().string())) {
      const std::string file = std::filesystem::relative(entry.path(), root).string();
      EXPECT_LE(chainLength(file, known), 8) << file;
    }
  EXPECT_GT(known.size(), 50u) << "the tree was not read";
}

TEST(Layers, AForbiddenIncludeIsSeen) {
  EXPECT_FALSE(isAllowed("compiler/ir/graph.cpp", "compiler/ops/op_def.h"));
  EXPECT_FALSE(isAllowed("runtime/execute/executor.cpp", "compiler/ir/graph.h"));
  EXPECT_FALSE(isAllowed("passes/shard/choose_axes.cpp", "passes/train/differentiate.h"));
  EXPECT_FALSE(isAllowed("passes/options/read_options.cpp", "tools/option_flags.h"));
  EXPECT_FALSE(isAllowed("runtime/plan/manifest.cpp", "runtime/device/device.h"));
  EXPECT_FALSE(isAllowed("compiler/certify/certify.cpp", "compiler/sharding/reshard.h"));
  EXPECT_FALSE(isAllowed("compiler/certify/certify.cpp", "passes/partition/localise.h"));
  EXPECT_FALSE(isAllowed("passes/partition/localise.cpp", "compiler/certify/certify.h"));
  EXPECT_FALSE(isAllowed("compiler/certify/moves/cuts.cpp", "compiler/certify/state/proof.h"));
  EXPECT_TRUE(isAllowed("compiler/certify/moves/cuts.cpp", "compiler/certify/refusal.h"));
  EXPECT_FALSE(mayIncludeSystem("runtime/execute/executor.cpp", "cuda_runtime.h"));
  EXPECT_TRUE(mayIncludeSystem("runtime/device/cuda/launch.h", "cuda_runtime.h"));
  EXPECT_TRUE(isAllowed("passes/shard/choose_axes.cpp", "compiler/sharding/graph_axes.h"));
}

} // namespace
