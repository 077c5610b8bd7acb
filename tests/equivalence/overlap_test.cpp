// A dimension of which a part is sharded and a part is whole: every tp rank holds the whole part, and it counts
// once.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "runtime/device/cpu/device.h"
#include "tests/compiler/onnx/model_file.h"
#include "tests/fixtures/run_fixture.h"

#include <thread>

namespace autotp::test {
namespace {

struct Numbers {
  float loss, gradNorm;
};

/// Two steps, from weights that do not depend on the mesh; rank 0's numbers of the second.
Numbers train(const std::string &model, int tp) {
  CompileOptions options;
  options.model = model;
  options.shard = ShardMode::All;
  options.memory.threads = 1;
  options.step.tp = tp;
  CompiledModel compiled = llvm::cantFail(compile(options));
  Numbers numbers{};
  auto comms = makeLocalCommunicators(tp);
  std::vector<std::thread> ranks;
  for (auto &comm : comms)
    ranks.emplace_back([&] {
      auto executor = llvm::cantFail(Executor::create(compiled.ranks.emitted[size_t(comm->rank())], tp, 1, *comm,
                                                      llvm::cantFail(makeCpuDevice(1))));
      initialiseWeights(*executor, 7);
      std::span<std::byte> x = executor->bytes(executor->input("x")->tensor());
      for (size_t i = 0; i < x.size() / sizeof(float); ++i)
        reinterpret_cast<float *>(x.data())[i] = float(int(i * 7 % 11) - 5);
      for (int step = 1; step <= 2; ++step)
        llvm::cantFail(runStep(*executor, step));
      if (comm->rank() == 0) numbers = {executor->scalar("loss"), executor->scalar("grad_norm")};
      comm->barrier();
    });
  for (std::thread &rank : ranks)
    rank.join();
  return numbers;
}

TEST(Overlap, AWholeSegmentBesideAShardedOneCountsOnce) {
  ModelFile file;
  file.input("x", {4, 8});
  auto weight = [&](const std::string &name, std::vector<int64_t> shape) {
    std::vector<float> values;
    for (int64_t i = 0; i < shape[0] * shape[1]; ++i)
      values.push_back(0.1f * float(i * 5 % 13 - 6));
    file.initializer(floats(name, shape, values));
  };
  weight("wide", {8, 16}); // sharded
  weight("one", {8, 1});   // nothing to share out
  weight("last", {17, 8}); // rows of both
  file.node("MatMul", {"x", "wide"}, {"a"});
  file.node("Relu", {"a"}, {"b"});
  file.node("MatMul", {"x", "one"}, {"c"});
  file.node("Concat", {"b", "c"}, {"d"}, {intAttribute("axis", -1)});
  file.node("MatMul", {"d", "last"}, {"y"});
  file.node("Mul", {"y", "y"}, {"q"});
  file.node("ReduceMean", {"q"}, {"loss"}, {intAttribute("keepdims", 0)});
  file.output("loss");
  std::string model = file.folder.write("model.onnx", file.proto.SerializeAsString());
  Numbers one = train(model, 1);
  for (int tp : {2, 3, 4}) {
    Numbers many = train(model, tp);
    EXPECT_NEAR(many.loss / one.loss, 1, 1e-5) << tp;
    EXPECT_NEAR(many.gradNorm / one.gradNorm, 1, 1e-5) << tp;
  }
}

} // namespace
} // namespace autotp::test
