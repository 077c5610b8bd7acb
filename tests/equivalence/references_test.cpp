// A plan that refers to the user's files trains as one that holds a copy of their weights, and notices what became of them.
#include "compiler/onnx/import_table.h"
#include "runtime/base/error.h"
#include "runtime/checkpoint/stored_weights.h"
#include "runtime/device/cpu/device.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/program_file.h"
#include "runtime/train/referenced_weights.h"
#include "tests/equivalence/checkpoints.h"
#include "tests/equivalence/torch_weights.h"
#include "tests/fixtures/run_fixture.h"
#include "tests/runtime/temporary_file.h"

#include "llvm/Support/FileSystem.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

namespace autotp::test {
namespace {

constexpr Mesh kMesh{2, 2, 2, 1};

/// Plans of one fixture in a folder of the test.
class Plans {
public:
  explicit Plans(std::string fixture) : fixture_(std::move(fixture)) {}

  std::string path(const std::string &name) const { return folder_.path() + "/" + name; }

  /// `weights`: as --weights says it, but for "reference:"; empty: the model's own.
  llvm::Error compile(const std::string &plan, const Mesh &mesh, const std::string &weights, bool areReferenced,
                      const RunAs &runAs = {}) const {
    CompileOptions options = optionsOf(fixture_, readExpected(fixture_), mesh, runAs);
    options.weights.held = areReferenced ? WeightsHeld::Referenced : WeightsHeld::Copied;
    options.weights.path = weights;
    if (!weights.empty()) {
      auto stored = StoredWeights::open("--weights", weights);
      if (!stored) return stored.takeError();
      options.weights.stored = std::move(*stored);
    }
    return compileTo(path(plan), options).takeError();
  }

  /// What a plan does by itself, which copies no more than so many bytes: "copy" or "reference". Its losses are the copy's.
  std::string kindBySize(const std::string &weights, int64_t mostCopiedBytes) const {
    CompileOptions options = optionsOf(fixture_, readExpected(fixture_), kMesh, {.held = WeightsHeld::BySize});
    options.weights.mostCopiedBytes = mostCopiedBytes;
    options.weights.path = weights;
    if (!weights.empty()) options.weights.stored = llvm::cantFail(StoredWeights::open("--weights", weights));
    std::filesystem::remove_all(path("by-size"));
    llvm::cantFail(compileTo(path("by-size"), options));
    const std::string kind = llvm::cantFail(readManifest(path("by-size"))).weightsKind;
    EXPECT_EQ(llvm::sys::fs::exists(path("by-size/weights")), kind == "copy");
    return kind;
  }

  llvm::Error run(const std::string &plan, const std::string &resume = "") const {
    TrainOptions options;
    options.plan = path(plan);
    options.threads = 1;
    options.isQuiet = true;
    options.steps = 3;
    options.feed = folderOf(fixture_) + "/batch.npz";
    options.log = path(plan + ".jsonl");
    options.resume = resume;
    return autotp::train(options);
  }

  std::vector<double> losses(const std::string &plan) const {
    if (llvm::Error error = run(plan)) {
      ADD_FAILURE() << describe(std::move(error));
      return {};
    }
    return readLog(path(plan + ".jsonl"), "loss");
  }

  /// Compiles both ways and compares.
  void expectSame(const Mesh &mesh, const std::string &weights, const RunAs &runAs = {}) const {
    SCOPED_TRACE(fixture_ + " " + mesh.text() + " " + weights);
    for (bool areReferenced : {false, true}) {
      const std::string plan = areReferenced ? "referenced" : "copied";
      std::filesystem::remove_all(path(plan));
      if (llvm::Error error = compile(plan, mesh, weights, areReferenced, runAs)) FAIL() << describe(std::move(error));
    }
    EXPECT_FALSE(llvm::sys::fs::exists(path("referenced/weights")));
    const std::vector<double> copied = losses("copied");
    EXPECT_EQ(copied.size(), 3u);
    EXPECT_EQ(losses("referenced"), copied);
  }

  void writeTorch(const std::string &name, DType dtype = DType::F32) const {
    if (!llvm::sys::fs::exists(path("one"))) llvm::cantFail(compile("one", {1, 1, 0, 1}, "", false));
    torchWeights(fixture_, path("one")).write(path(name), dtype);
  }

  const std::string &fixture() const { return fixture_; }

private:
  const std::string fixture_;
  const TemporaryFolder folder_;
};

TEST(References, OfAModelsOwnFileTrainAsCopies) {
  for (const char *fixture : {"llama", "gpt2", "mlp", "models/phi3"})
    for (const Mesh &mesh : {Mesh{1, 2, 2, 1}, kMesh, Mesh{2, 2, 3, 1}})
      Plans(fixture).expectSame(mesh, "");
  Plans("llama").expectSame({3, 1, 0, 1}, "", {.dtype = DType::BF16});
}

/// Moves the numbers of a model's initializers into a file beside it.
void writeWithExternalData(const std::string &from, const std::string &folder) {
  onnx::ModelProto proto;
  std::ifstream in(from, std::ios::binary);
  ASSERT_TRUE(proto.ParseFromIstream(&in));
  std::ofstream data(folder + "/model.data", std::ios::binary);
  for (onnx::TensorProto &tensor : *proto.mutable_graph()->mutable_initializer()) {
    if (!tensor.has_raw_data()) continue;
    auto add = [&](const char *key, const std::string &value) {
      onnx::StringStringEntryProto &entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    };
    add("location", "model.data");
    add("offset", std::to_string(data.tellp()));
    add("length", std::to_string(tensor.raw_data().size()));
    data << tensor.raw_data() << '.'; // what follows is not aligned
    tensor.clear_raw_data();
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  }
  std::ofstream(folder + "/model.onnx", std::ios::binary) << proto.SerializeAsString();
}

TEST(References, OfExternalDataTrainAsCopies) {
  const Plans plans("llama");
  std::filesystem::create_directory(plans.path("model"));
  writeWithExternalData(folderOf("llama") + "/model.onnx", plans.path("model"));
  plans.expectSame(kMesh, "", {.model = plans.path("model/model.onnx")});
  const Manifest manifest = llvm::cantFail(readManifest(plans.path("referenced")));
  ASSERT_EQ(manifest.referenced.files.size(), 1u);
  EXPECT_EQ(manifest.referenced.files[0].path, plans.path("model/model.data"));
}

TEST(References, OfFilesAndCheckpointsTrainAsCopies) {
  for (const char *fixture : {"models/phi3", "models/gpt2"}) {
    const Plans plans(fixture);
    plans.writeTorch("torch.safetensors"); // of which matrices are transposed in the graph
    plans.writeTorch("small.safetensors", DType::BF16);
    for (const Mesh &mesh : {Mesh{1, 2, 2, 1}, kMesh, Mesh{2, 2, 3, 1}}) {
      plans.expectSame(mesh, plans.path("torch.safetensors"));
      plans.expectSame(mesh, plans.path("small.safetensors"));
    }
    const SavedPlan trained(fixture, {2, 1, 0, 1});
    const std::string checkpoint = trained.saved(2);
    plans.expectSame(kMesh, checkpoint);
    plans.expectSame({1, 2, 3, 1}, std::filesystem::path(checkpoint).parent_path().string());
  }
}

/// Another name of a tied table may be the other way round in a checkpoint.
TEST(References, OfTiedWeightsTrainAsCopies) {
  for (const char *fixture : {"llama-tied-logits", "llama-ts"}) {
    const SavedPlan trained(fixture, {2, 1, 0, 1});
    const Plans plans(fixture);
    plans.expectSame(kMesh, "");
    plans.expectSame(kMesh, trained.saved(1));
  }
}

/// All ranks together read what they hold, and no byte of another rank's.
TEST(References, AreReadBySlices) {
  const Plans plans("llama");
  for (const Mesh &mesh : {Mesh{4, 1, 0, 1}, Mesh{1, 2, 3, 1}}) {
    std::filesystem::remove_all(plans.path("plan"));
    llvm::cantFail(plans.compile("plan", mesh, "", true));
    const Manifest manifest = llvm::cantFail(readManifest(plans.path("plan")));
    std::vector<plan::Program> programs;
    for (const Manifest::File &file : manifest.programs)
      programs.push_back(
          llvm::cantFail(readProgram(plans.path("plan/" + file.path), file.digest, manifest.tp, manifest.dp)));
    const auto weights = llvm::cantFail(ReferencedWeights::open(manifest.referenced));
    auto comms = makeLocalCommunicators(int(manifest.ranks.size()));
    std::vector<std::unique_ptr<Executor>> executors(comms.size());
    std::vector<std::thread> threads;
    for (size_t r = 0; r < comms.size(); ++r)
      threads.emplace_back([&, r] {
        executors[r] = llvm::cantFail(Executor::create(programs[size_t(manifest.ranks[r].program)], manifest.tp,
                                                       manifest.dp, *comms[r], llvm::cantFail(makeCpuDevice(1))));
        llvm::cantFail(weights->fill(*executors[r]));
      });
    for (std::thread &thread : threads)
      thread.join();
    uint64_t held = 0, rows = 0;
    for (const auto &executor : executors)
      for (const plan::Parameter &parameter : executor->program().parameters()) {
        const plan::Bucket &bucket = executor->program().buckets(int(parameter.bucket()));
        const auto begin = int64_t(parameter.bucket_begin());
        const BucketPart part =
            bucketPart(bucket, bucket.parameters(), begin, begin + elementsOf(parameter.tensor()), executor->place());
        held += uint64_t(part.end - part.begin) * sizeof(float);
        // A slice over dp begins and ends within rows, which are read whole.
        const auto &shape = parameter.tensor().shape();
        if (shape.size() > 1 && part.begin < part.end)
          rows += 2 * sizeof(float) * uint64_t(elementsOf(parameter.tensor()) / std::max<int64_t>(1, shape[0]));
      }
    EXPECT_GE(weights->bytesRead(), held) << mesh.text();
    EXPECT_LE(weights->bytesRead(), mesh.zero == 3 ? held + rows : held) << mesh.text();
  }
}

void expectParts(llvm::Error error, const std::vector<std::string> &parts) {
  ASSERT_TRUE(bool(error));
  const std::string text = describe(std::move(error));
  for (const std::string &part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "without: " << part << "\n" << text;
}

TEST(References, ToAFileThatChangedAreRefused) {
  const Plans plans("models/phi3");
  plans.writeTorch("torch.safetensors");
  llvm::cantFail(plans.compile("plan", {2, 1, 0, 1}, plans.path("torch.safetensors"), true));
  llvm::cantFail(plans.run("plan"));
  std::fstream file(plans.path("torch.safetensors"), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(-3, std::ios::end).put('\1');
  file.close();
  expectParts(plans.run("plan"),
              {plans.path("torch.safetensors") + ": this file of weights has changed since the plan was compiled",
               "compile the plan again"});
  std::filesystem::resize_file(plans.path("torch.safetensors"), 100);
  expectParts(plans.run("plan"),
              {plans.path("torch.safetensors") + ": it ends before tensor ", "compile the plan again"});
}

TEST(References, ToACheckpointThatChangedAreRefused) {
  const SavedPlan trained("models/phi3", {2, 1, 0, 1});
  const std::string checkpoint = trained.saved(1);
  const Plans plans("models/phi3");
  llvm::cantFail(plans.compile("plan", {2, 1, 0, 1}, checkpoint, true));
  const std::string path = checkpoint + "/weights-00001.safetensors";
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(-3, std::ios::end).put('\1');
  file.close();
  expectParts(plans.run("plan"), {path + ": this file of weights has changed since the plan was compiled"});
}

TEST(References, ToWhatIsNoNumberAreRefusedByName) {
  const Plans plans("models/phi3");
  plans.writeTorch("torch.safetensors");
  std::fstream file(plans.path("torch.safetensors"), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(-2, std::ios::end).write("\xc0\x7f", 2); // the upper half of a NaN
  file.close();
  llvm::cantFail(plans.compile("plan", {2, 1, 0, 1}, plans.path("torch.safetensors"), true));
  expectParts(plans.run("plan"), {plans.path("torch.safetensors") +
                                  ": it has weights that are infinite or no numbers (NaN), in parameter 'model."});
}

/// The plan itself may be moved; and a run that goes on needs the files no more.
TEST(References, ToAFileThatWasMovedAreRefused) {
  const Plans plans("models/phi3");
  plans.writeTorch("torch.safetensors");
  llvm::cantFail(plans.compile("plan", {2, 1, 0, 1}, plans.path("torch.safetensors"), true));
  std::filesystem::create_directory(plans.path("elsewhere"));
  std::filesystem::rename(plans.path("plan"), plans.path("elsewhere/plan"));
  EXPECT_EQ(plans.losses("elsewhere/plan").size(), 3u);
  std::filesystem::rename(plans.path("torch.safetensors"), plans.path("elsewhere/torch.safetensors"));
  expectParts(plans.run("elsewhere/plan"),
              {plans.path("torch.safetensors") + ": the plan reads its weights from this file, which is not there\n",
               "put it back, or compile again with --weights reference:PATH of its new place"});
  const SavedPlan trained("models/phi3", {2, 1, 0, 1});
  if (llvm::Error error = plans.run("elsewhere/plan", trained.saved(1))) FAIL() << describe(std::move(error));
}

/// A plan of much is a plan that refers, where that can be.
TEST(References, AreMadeWhereThereIsMuch) {
  const Plans plans("llama");
  plans.writeTorch("torch.safetensors");
  for (const std::string &weights : {std::string(), plans.path("torch.safetensors")}) {
    EXPECT_EQ(plans.kindBySize(weights, 1 << 30), "copy");
    const std::vector<double> copied = plans.losses("by-size");
    EXPECT_EQ(plans.kindBySize(weights, 1000), "reference");
    EXPECT_EQ(plans.losses("by-size"), copied);
  }
  const Plans artifacts("ort-artifacts-mlp");
  EXPECT_EQ(artifacts.kindBySize("", 10), "copy"); // they lie in no file as the graph has them
}

/// What the compiler has put together lies nowhere.
TEST(References, ToNumbersThatLieNowhereAreRefusedAtCompile) {
  const Plans artifacts("ort-artifacts-mlp");
  expectParts(artifacts.compile("plan", {1, 1, 0, 1}, "", true),
              {"the numbers of these parameters do not lie in the model's files as the graph has them:\n    ",
               "--weights reference:PATH"});
}

} // namespace
} // namespace autotp::test
