// What a plan says of memory is what a run takes: SmolLM2-135M's shape, one step of 512 tokens on one rank.
#include "runtime/base/error.h"
#include "tests/models/scratch_folder.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

namespace autotp {
namespace {

constexpr const char *kConfig = R"({"model_type": "llama", "hidden_size": 576, "num_hidden_layers": 30,
  "num_attention_heads": 9, "num_key_value_heads": 3, "intermediate_size": 1536, "vocab_size": 49152,
  "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true})";

class MemoryTest : public ScratchFolder {
protected:
  /// Runs one of the commands; its output goes to a file. Returns the most kilobytes it held.
  int64_t run(const std::string &tool, std::vector<std::string> arguments, const std::string &output) {
    std::string program = std::string(AUTOTP_BINARY_DIR) + "/bin/" + tool, said;
    arguments.insert(arguments.begin(), program);
    llvm::SmallVector<llvm::StringRef, 16> views(arguments.begin(), arguments.end());
    llvm::Optional<llvm::sys::ProcessStatistics> statistics;
    int code = llvm::sys::ExecuteAndWait(program, views, llvm::None, {llvm::None, llvm::StringRef(output), llvm::None},
                                         0, 0, &said, nullptr, &statistics);
    EXPECT_EQ(code, 0) << tool << " " << said;
    return statistics ? int64_t(statistics->PeakMemory) : 0;
  }

  static llvm::json::Value readJson(const std::string &file) {
    return llvm::cantFail(llvm::json::parse((*llvm::MemoryBuffer::getFile(file))->getBuffer()));
  }
};

TEST_F(MemoryTest, ThePlannedArenaIsAllThereIs) {
  std::ofstream(path("config.json")) << kConfig;
  run("autotp-model",
      {"llama", "--config", path("config.json"), "--no-weights", "--seq", "512", "--batch", "1", "-o",
       path("model.onnx")},
      path("said"));
  run("autotp-compile", {path("model.onnx"), "--weights", "none", "-o", path("plan")}, path("said"));
  run("autotp-plan", {"memory", "--json", path("plan")}, path("planned.json"));
  int64_t peakKilobytes = run("autotp-run", {path("plan"), "--steps", "1", "--log", path("log.jsonl")}, path("said"));
  int64_t planned = *(*readJson(path("planned.json")).getAsArray())[0].getAsObject()->getInteger("arena_bytes");
  EXPECT_EQ(planned, *readJson(path("log.jsonl")).getAsObject()->getInteger("memory_bytes"));
  EXPECT_GT(double(peakKilobytes) * 1024, 0.9 * double(planned));
  EXPECT_LE(double(peakKilobytes) * 1024, 1.15 * double(planned) + 60e6);
}

} // namespace
} // namespace autotp
