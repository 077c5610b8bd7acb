// A model that autotp-model writes, of each family, trains to the numbers of transformers: decoders/record.py has recorded them.
#include "models/decoder/build_decoder.h"
#include "models/decoder/parse_config.h"
#include "runtime/base/error.h"
#include "runtime/base/philox.h"
#include "tests/equivalence/fixture.h"
#include "tests/models/scratch_folder.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>
#include <map>

namespace autotp {
namespace {

struct Case {
  const char *name, *family;
};
void PrintTo(const Case &which, std::ostream *out) { *out << which.name; }

constexpr int64_t kSequence = 40;
constexpr size_t kShards = 3;

/// The formula of record.py, for the `n`-th parameter in alphabetical order.
std::vector<float> valuesOf(const DecoderParameter &parameter, uint64_t n) {
  std::vector<float> values(size_t(parameter.elements()));
  const bool isMatrix = parameter.shape.size() > 1;
  for (size_t i = 0; i < values.size(); ++i) {
    const double u = philox(n, i, 0)[0] * 0x1p-32 - 0.5;
    values[i] = float(isMatrix ? u * std::sqrt(12 / double(parameter.shape[1]))
                               : 0.4 * u + (parameter.initial == InitialValue::One ? 1 : 0));
  }
  return values;
}

class Decoders : public ScratchFolder, public testing::WithParamInterface<Case> {
protected:
  const std::string recorded_ = "tests/models/decoders/" + std::string(GetParam().name),
                    config_ = std::string(AUTOTP_SOURCE_DIR) + "/" + recorded_ + "/config.json";

  /// Writes the recorded weights as the shards of an index.
  void writeWeights() const {
    auto text = llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(config_)));
    auto config = parseDecoderConfig(text->getBuffer(), config_, GetParam().family);
    ASSERT_TRUE(bool(config)) << describe(config.takeError());
    const DecoderModel model = buildDecoder(*config, 4, kSequence);
    std::map<std::string, const DecoderParameter *> byName;
    for (const DecoderParameter &parameter : model.parameters)
      byName[parameter.name] = &parameter;
    std::vector<std::vector<float>> values;
    std::vector<NamedTensor> shards[kShards];
    llvm::json::Object map;
    for (const auto &[name, parameter] : byName)
      values.push_back(valuesOf(*parameter, values.size()));
    size_t n = 0;
    for (const auto &[name, parameter] : byName) {
      const llvm::ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(values[n].data()), values[n].size() * 4);
      shards[n % kShards].push_back({name, DType::F32, parameter->shape, bytes});
      map[name] = std::to_string(n++ % kShards) + ".safetensors";
    }
    for (size_t shard = 0; shard < kShards; ++shard)
      ASSERT_FALSE(bool(writeSafetensors(path(std::to_string(shard) + ".safetensors"), shards[shard])));
    std::error_code code;
    llvm::raw_fd_ostream(path("model.safetensors.index.json"), code)
        << llvm::json::Value(llvm::json::Object{{"weight_map", std::move(map)}});
  }
};

TEST_P(Decoders, TrainAsInTransformers) {
  writeWeights();
  DecoderExport options = tiny();
  options.family = GetParam().family;
  options.config = config_;
  options.weights = path("");
  options.batch = 4;
  options.seq = kSequence;
  ASSERT_FALSE(HasFailure());
  if (llvm::Error error = exportDecoder(options)) FAIL() << describe(std::move(error));
  const test::Expected expected = test::readExpected(recorded_);
  test::Deviations worst;
  struct Run {
    test::Mesh mesh;
    bool sequenceParallel = false;
  };
  for (const auto &[mesh, sequenceParallel] :
       {Run{{1, 1, 0, 1}}, Run{{2, 2, 2, 1}}, Run{{2, 1, 0, 1}, true}, Run{{4, 1, 1, 1}}}) {
    auto run = test::train(recorded_, expected, mesh,
                           {.sequenceParallel = sequenceParallel, .feed = "../batch.npz", .model = options.output});
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    EXPECT_EQ(run->parameterElements, expected.parameterElements) << mesh.text();
    for (const std::string &broken : test::compare(expected, *run, &worst))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
  std::printf("%-14s off by %.1e (losses), %.2f and %.2f of the bounds (gradients, weights)\n", GetParam().name,
              worst.loss, worst.gradient, worst.weight);
}

INSTANTIATE_TEST_SUITE_P(AllFamilies, Decoders,
                         testing::Values(Case{"llama", "llama"}, Case{"llama_linear", "llama"},
                                         Case{"llama_yarn", "llama"}, Case{"mistral", "mistral"},
                                         Case{"qwen2", "qwen2"}, Case{"qwen3", "qwen3"}, Case{"gemma2", "gemma2"},
                                         Case{"phi3", "phi3"}, Case{"phi3_longrope", "phi3"}),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
} // namespace autotp
