#include "tests/equivalence/checkpoints.h"

#include "runtime/base/error.h"
#include "runtime/base/small_floats.h"
#include "runtime/checkpoint/checkpoint_reader.h"
#include "runtime/device/cpu/device.h"
#include "runtime/device/cuda/device.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/program_file.h"
#include "runtime/train/resume.h"
#include "tests/fixtures/run_fixture.h"

#include "llvm/Support/FileSystem.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <numeric>
#include <thread>

namespace autotp::test {
namespace {

using Kind = std::pair<std::string, std::string>; ///< parameter and kind

/// Every tensor of a checkpoint whole, put together element by element.
std::map<Kind, std::vector<float>> wholeTensors(const std::string &checkpoint) {
  std::map<Kind, std::vector<float>> whole;
  const Checkpoint facts = llvm::cantFail(readCheckpointFacts(checkpoint));
  for (const Checkpoint::Tensor &tensor : facts.tensors) {
    int64_t elements = 1;
    for (int64_t d : tensor.shape)
      elements *= d;
    std::vector<float> &values = whole[{tensor.parameter, tensor.kind}];
    values.assign(size_t(elements), std::nanf(""));
    for (const Checkpoint::Slice &slice : tensor.slices) {
      const SafetensorsFile file = llvm::cantFail(readSafetensors(checkpoint + "/" + slice.file));
      const auto *from = reinterpret_cast<const float *>(file.find(tensor.parameter)->bytes.data());
      int64_t local = 0;
      for (int64_t global = 0; global < elements; ++global) {
        bool isHeld = true;
        int64_t rest = global;
        for (size_t d = tensor.shape.size(); d-- > 0; rest /= tensor.shape[d]) {
          if (slice.covers.empty()) continue;
          bool isWithin = false;
          for (size_t i = 0; i < slice.covers[d].size(); i += 2)
            isWithin |= rest % tensor.shape[d] >= slice.covers[d][i] && rest % tensor.shape[d] < slice.covers[d][i + 1];
          isHeld &= isWithin;
        }
        if (!isHeld) continue;
        if (local >= slice.begin && local < slice.end) values[size_t(global)] = from[local - slice.begin];
        ++local;
      }
    }
  }
  return whole;
}

/// The elements of a rank's tensor of a bucket that differ from those of the whole parameter.
int64_t countDifferent(const Executor &executor, const plan::Parameter &parameter, const plan::TensorRef &flat,
                       const std::vector<float> &whole) {
  const plan::Bucket &bucket = executor.program().buckets(int(parameter.bucket()));
  const MeshPlace place = executor.place();
  const int64_t held = elementsOf(flat), slices = bucket.elements() / held;
  const int64_t slice = slices == 1 ? 0 : slices == place.dp ? place.dpRank : place.dpRank * place.tp + place.tpRank;
  const DType dtype = DType(flat.dtype());
  std::vector<std::byte> bytes(size_t(held) * sizeOf(dtype));
  executor.download(flat, bytes.data());
  int64_t different = 0;
  forEachHeld(parameter, [&](int64_t local, int64_t global, std::span<const int64_t>) {
    const int64_t at = int64_t(parameter.bucket_begin()) + local - slice * held;
    if (at < 0 || at >= held) return;
    const float wanted = whole[size_t(global)];
    if (dtype == DType::F32) {
      different += std::memcmp(bytes.data() + 4 * at, &wanted, 4) != 0;
    } else {
      const uint16_t narrow = dtype == DType::BF16 ? floatToBf16(wanted) : doubleToHalf(wanted);
      different += std::memcmp(bytes.data() + 2 * at, &narrow, 2) != 0;
    }
  });
  return different;
}

void expectHolds(const Executor &executor, const std::map<Kind, std::vector<float>> &whole) {
  for (const plan::Parameter &parameter : executor.program().parameters()) {
    if (elementsOf(parameter.tensor()) == 0) continue;
    const plan::Bucket &bucket = executor.program().buckets(int(parameter.bucket()));
    EXPECT_EQ(countDifferent(executor, parameter, bucket.parameters(), whole.at({parameter.name(), "weights"})), 0)
        << parameter.name();
    for (const std::string &kind : kindsOf(bucket))
      EXPECT_EQ(countDifferent(executor, parameter, *tensorOfKind(bucket, kind), whole.at({parameter.name(), kind})), 0)
          << kind << " of " << parameter.name();
  }
}

} // namespace

SavedPlan::SavedPlan(const std::string &fixture, const Mesh &mesh, const RunAs &runAs) : fixture_(fixture) {
  llvm::SmallString<128> folder;
  EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("autotp-checkpoints", folder));
  folder_ = folder.str().str();
  auto compiled = compileTo(folder_ + "/plan", optionsOf(fixture, readExpected(fixture), mesh, runAs));
  EXPECT_TRUE(bool(compiled)) << describe(compiled.takeError());
}

SavedPlan::~SavedPlan() { llvm::sys::fs::remove_directories(folder_); }

TrainOptions SavedPlan::options() const {
  TrainOptions options;
  options.plan = folder_ + "/plan";
  options.threads = 1;
  options.isQuiet = true;
  options.steps = 5;
  options.feed = folderOf(fixture_) + "/batch.npz";
  options.log = folder_ + "/log.jsonl";
  return options;
}

std::vector<double> SavedPlan::run(const TrainOptions &options) const {
  const size_t before =
      llvm::sys::fs::exists(options.log) && !options.resume.empty() ? readLog(options.log, "loss").size() : 0;
  if (llvm::Error error = autotp::train(options)) {
    ADD_FAILURE() << describe(std::move(error));
    return {};
  }
  std::vector<double> losses = readLog(options.log, "loss");
  losses.erase(losses.begin(), losses.begin() + std::ptrdiff_t(std::min(before, losses.size())));
  return losses;
}

std::string SavedPlan::saved(int64_t steps) const {
  TrainOptions options = this->options();
  options.steps = steps;
  options.save = folder_ + "/checkpoints";
  run(options);
  return options.save + "/step-" + std::to_string(steps);
}

void expectLoadsExactly(const std::string &plan, const std::string &checkpoint) {
  const std::map<Kind, std::vector<float>> whole = wholeTensors(checkpoint);
  for (const auto &[kind, values] : whole)
    for (float value : values)
      ASSERT_FALSE(std::isnan(value)) << kind.second << " of " << kind.first << " is not all there";
  const Manifest manifest = llvm::cantFail(readManifest(plan));
  std::vector<plan::Program> programs;
  for (const Manifest::File &file : manifest.programs)
    programs.push_back(llvm::cantFail(readProgram(plan + "/" + file.path, file.digest, manifest.tp, manifest.dp)));
  const auto reader = llvm::cantFail(CheckpointReader::open(checkpoint));
  auto comms = makeLocalCommunicators(int(manifest.ranks.size()));
  std::vector<std::unique_ptr<Executor>> executors(comms.size());
  std::vector<std::thread> threads;
  for (size_t r = 0; r < comms.size(); ++r)
    threads.emplace_back([&, r] {
      auto device = manifest.device == "cuda" ? makeCudaDevice({}) : makeCpuDevice(1);
      executors[r] = llvm::cantFail(Executor::create(programs[size_t(manifest.ranks[r].program)], manifest.tp,
                                                     manifest.dp, *comms[r], llvm::cantFail(std::move(device))));
      std::vector<int> all(comms.size());
      std::iota(all.begin(), all.end(), 0);
      const auto world = llvm::cantFail(comms[r]->group(all, executors[r]->device()));
      EXPECT_TRUE(llvm::cantFail(restore(*executors[r], *world, int(r), *reader)).empty());
    });
  for (std::thread &thread : threads)
    thread.join();
  uint64_t held = 0;
  for (const auto &executor : executors) {
    expectHolds(*executor, whole);
    for (const plan::Bucket &bucket : executor->program().buckets()) {
      held += uint64_t(elementsOf(bucket.parameters()));
      for (const std::string &kind : kindsOf(bucket))
        if (const plan::TensorRef *tensor = tensorOfKind(bucket, kind); tensor != &bucket.parameters())
          held += uint64_t(elementsOf(*tensor));
    }
  }
  EXPECT_LE(reader->bytesRead(), held * sizeof(float)) << "a rank read what it does not hold";
}

void expectGoesOnAnywhere(const std::string &fixture, const Mesh &from, const std::vector<Mesh> &to,
                          const RunAs &runAs) {
  const SavedPlan first(fixture, from, runAs);
  TrainOptions whole = first.options();
  const std::vector<double> expected = first.run(whole);
  ASSERT_EQ(expected.size(), 5u);
  TrainOptions begun = first.options();
  begun.save = first.folder() + "/checkpoints";
  begun.steps = 3;
  EXPECT_EQ(first.run(begun), std::vector<double>(expected.begin(), expected.begin() + 3));
  const std::string checkpoint = begun.save + "/step-3";
  for (const Mesh &mesh : to) {
    SCOPED_TRACE(fixture + " to " + mesh.text());
    const SavedPlan second(fixture, mesh, runAs);
    expectLoadsExactly(second.folder() + "/plan", checkpoint);
    TrainOptions resumed = second.options();
    resumed.resume = checkpoint;
    const std::vector<double> losses = second.run(resumed);
    ASSERT_EQ(losses.size(), 2u);
    const bool isSame = mesh.text() == from.text();
    for (size_t i = 0; i < losses.size(); ++i)
      EXPECT_NEAR(losses[i], expected[3 + i], isSame ? 0 : 2e-4 * expected[3 + i]);
  }
}

} // namespace autotp::test
