// manifest.json of a plan, whose digest is made right.
#include "runtime/plan/manifest.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  const std::string path = test::fuzzFile("manifest.json", withDigest(test::textOf(data, size).str()));
  test::answered(readManifest(std::filesystem::path(path).parent_path().string()));
  return 0;
}
