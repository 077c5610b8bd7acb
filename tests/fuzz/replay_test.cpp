// Every input of the corpora, and thousands of neighbours of each, through its reader: none may end the program, or take
// long. What libFuzzer found lies among them.
#include "llvm/ADT/StringRef.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <random>

#define AUTOTP_FUZZ_TARGET(name) extern "C" int fuzz_##name(const uint8_t *data, size_t size);
#include "tests/fuzz/targets.def"
#undef AUTOTP_FUZZ_TARGET

namespace autotp {
namespace {

struct Target {
  const char *name;
  int (*run)(const uint8_t *data, size_t size);
};

constexpr Target kTargets[] = {
#define AUTOTP_FUZZ_TARGET(name) {#name, fuzz_##name},
#include "tests/fuzz/targets.def"
#undef AUTOTP_FUZZ_TARGET
};

std::string bytesOf(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

class Corpus : public testing::TestWithParam<Target> {
protected:
  void SetUp() override {
    for (const auto &entry :
         std::filesystem::directory_iterator(std::string(AUTOTP_SOURCE_DIR) + "/tests/fuzz/corpus/" + GetParam().name))
      files_.push_back(entry.path());
    std::sort(files_.begin(), files_.end());
    ASSERT_FALSE(files_.empty());
  }
  void run(const std::string &bytes) const {
    GetParam().run(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
  }
  std::vector<std::filesystem::path> files_;
};

TEST_P(Corpus, IsAnsweredInTime) {
  for (const auto &path : files_) {
    const auto begin = std::chrono::steady_clock::now();
    run(bytesOf(path));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10)) << path;
  }
}

/// Some bytes changed, left out, or repeated.
TEST_P(Corpus, NeighboursAreAnswered) {
  constexpr int kNeighbours = 300;
  std::mt19937 random(1);
  for (const auto &path : files_) {
    const std::string whole = bytesOf(path);
    if (whole.empty()) continue;
    for (int k = 0; k < kNeighbours; ++k) {
      std::string bytes = whole;
      const size_t at = random() % bytes.size(), length = random() % std::min<size_t>(bytes.size() - at, 16) + 1;
      if (k % 4 == 0)
        bytes.erase(at, length);
      else if (k % 4 == 1)
        bytes.insert(at, bytes.substr(random() % bytes.size(), length));
      else
        for (unsigned flips = 0; flips < 1 + random() % 3; ++flips)
          bytes[random() % bytes.size()] = char(random());
      run(bytes);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Readers, Corpus, testing::ValuesIn(kTargets),
                         [](const testing::TestParamInfo<Target> &info) { return std::string(info.param.name); });

} // namespace
} // namespace autotp
