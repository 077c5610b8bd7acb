// DeepSpeed's configuration, which is hjson.
#include "passes/compile_options.h"
#include "passes/options/deepspeed/config.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  CompileOptions options;
  if (llvm::Error error = readDeepSpeedConfig(test::fuzzFile("ds.json", test::textOf(data, size)), options))
    (void)describe(std::move(error));
  return 0;
}
