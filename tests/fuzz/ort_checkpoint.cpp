// The checkpoint of onnxruntime-training's artifacts, a flatbuffer.
#include "compiler/onnx/checkpoint.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  test::answered(readCheckpoint(test::fuzzFile("checkpoint", test::textOf(data, size))));
  return 0;
}
