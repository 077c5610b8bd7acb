// A model: any bytes, within a budget of 64 MB.
#include "compiler/onnx/import.h"
#include "compiler/onnx/import_options.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  ImportOptions options;
  options.budgetMegabytes = 64;
  test::answered(importModel(test::fuzzFile("model.onnx", test::textOf(data, size)), options));
  return 0;
}
