// Plans that were cut, flipped or edited: refused by name, or run; never a crash, a hang or a file outside the plan.
#include "runtime/plan/manifest.h"
#include "tests/faults/command.h"

namespace autotp::test {
namespace {

class Plans : public Commands {
protected:
  void SetUp() override { succeeds("autotp-compile @/mlp/model.onnx --tp 2 --micro-batch 2 --shard all -o {}/plan"); }
  std::string path(const std::string &file) const { return folder.path() + "/plan/" + file; }
  std::string read(const std::string &file) const { return contentsOf(path(file)); }
  void write(const std::string &file, const std::string &bytes) { folder.write("plan/" + file, bytes); }
  /// As somebody writes it who knows the format.
  void writeManifest(const std::string &text) { write("manifest.json", withDigest(text)); }
  const std::string train = "autotp-run {}/plan --steps 1 --feed @/mlp/batch.npz --quiet";
};

TEST_F(Plans, FilesCutShort) {
  for (const char *file : {"manifest.json", "programs/0000.plan", "weights/tp_0001.safetensors"}) {
    const std::string whole = read(file);
    for (size_t tenth = 0; tenth < 10; ++tenth) {
      write(file, whole.substr(0, whole.size() * tenth / 10));
      fails(1, train, file);
    }
    write(file, whole);
  }
  succeeds(train);
}

TEST_F(Plans, FilesMissing) {
  fails(1, "autotp-run {}/none", "/none/manifest.json: it cannot be read");
  fails(1, "autotp-plan show {}/none", "/none/manifest.json: it cannot be read");
  for (const char *file : {"weights/tp_0001.safetensors", "programs/0001.plan", "manifest.json"}) {
    std::filesystem::rename(path(file), folder.path() + "/aside");
    fails(1, train, std::string("plan/") + file);
    std::filesystem::rename(folder.path() + "/aside", path(file));
  }
}

/// All files have digests.
TEST_F(Plans, BytesFlipped) {
  constexpr int kPlaces = 12;
  for (const char *file : {"manifest.json", "programs/0000.plan", "weights/tp_0000.safetensors"}) {
    const std::string whole = read(file);
    for (size_t place = 0; place < kPlaces; ++place) {
      std::string bad = whole;
      size_t at = (whole.size() - 1) * place / kPlaces;
      bad[at] = char(bad[at] ^ 0x15);
      write(file, bad);
      SCOPED_TRACE(std::string(file) + " at " + std::to_string(at));
      Ended ended = run(train);
      EXPECT_EQ(ended.code, 1) << ended.err;
      EXPECT_EQ(llvm::StringRef(ended.err).count("error: "), 1u) << ended.err;
      EXPECT_TRUE(llvm::StringRef(ended.err).startswith("error: ")) << ended.err;
    }
    write(file, whole);
  }
}

/// One rank digests the file for all that read it.
TEST_F(Plans, WeightsOfSeveralDpRanksFlipped) {
  succeeds("autotp-compile @/mlp/model.onnx --dp 2 --micro-batch 2 -o {}/plan");
  std::string weights = read("weights/tp_0000.safetensors");
  succeeds(train);
  weights.back() ^= 1;
  write("weights/tp_0000.safetensors", weights);
  fails(1, "autotp-plan verify {}/plan", "weights/tp_0000.safetensors: it is not the file that the manifest describes");
  fails(1, train, "weights/tp_0000.safetensors: it is not the file that the manifest describes");
}

/// Each weight of the model is a number, but for one.
TEST_F(Plans, WeightsThatAreNoNumbers) {
  for (const char *bytes : {"\x00\x00\xc0\x7f", "\x00\x00\x80\xff"}) { // NaN, -inf
    std::string weights = contentsOf(fixtures + "/mlp/final.safetensors");
    weights.replace(weights.size() - 4, 4, std::string(bytes, 4));
    folder.write("w.safetensors", weights);
    succeeds("autotp-compile @/mlp/model.onnx --tp 2 --dp 2 --micro-batch 2 --shard all --weights {}/w.safetensors -o "
             "{}/bad");
    fails(1, "autotp-run {}/bad --steps 1", "it has weights that are infinite or no numbers (NaN), in parameter '");
    std::filesystem::remove_all(folder.path() + "/bad");
  }
}

TEST_F(Plans, ManifestsEditedByHand) {
  const std::string good = read("manifest.json");
  for (auto [from, to, culprit] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"\"format_version\": 9", "\"format_version\": 8", "another format version"},
           {"\"tp\": 2", "\"tp\": 3", "manifest.json"},
           {"\"tp\": 2", "\"tp\": \"2\"", "tp"},
           {"\"tp\": 2", "\"tq\": 2", "tp"},
           {"\"dp\": 1", "\"dp\": 0", "manifest.json"},
           {"\"dp\": 1", "\"dp\": 9223372036854775807", "manifest.json"},
           {"\"inputs\": [", "\"inputs\": 3, \"more\": [", "inputs"},
           {"\"micro_batch\": 2", "\"micro_batch\": 1000000", "manifest.json"},
           {"programs/0000.plan", "../0000.plan", "outside the plan"},
           {"programs/0000.plan", "/etc/passwd", "outside the plan"},
           {"weights/tp_0000", "../tp_0000", "outside the plan"},
           {"programs/0000.plan", "programs/0001.plan", "programs/0001.plan"},
           {"\"program\": 0", "\"program\": 7", "manifest.json"},
           {"\"dtype\": \"f32\"", "\"dtype\": \"f99\"", "f99"},
           {"\"weights_kind\": \"copy\"", "\"weights_kind\": \"some\"", "some"}}) {
    writeManifest(replaced(good, from, to));
    fails(1, train, culprit);
    fails(1, "autotp-plan memory {}/plan", culprit);
  }
}

/// At ZeRO 3 a parameter has no place of its own between the steps.
TEST_F(Plans, ShownWhereParametersLie) {
  succeeds("autotp-compile @/mlp/model.onnx --dp 2 --zero 3 --micro-batch 2 -o {}/sliced");
  const std::string shown = run("autotp-plan show {}/sliced").out;
  EXPECT_NE(shown.find("parameter fc1.bias f32[128], from element "), std::string::npos) << shown;
  EXPECT_NE(shown.find(" of slices f32["), std::string::npos) << shown;
  EXPECT_EQ(run("autotp-plan show {}/plan").out.find(", from element "), std::string::npos);
}

TEST_F(Plans, ForADeviceThatIsNotHere) {
  writeManifest(replaced(read("manifest.json"), "\"device\": \"cpu\"", "\"device\": \"abacus\""));
  fails(1, train, "abacus");
}

} // namespace
} // namespace autotp::test
