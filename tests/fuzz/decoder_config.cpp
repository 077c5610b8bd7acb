// Hugging Face's config.json.
#include "models/decoder/parse_config.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  test::answered(parseDecoderConfig(test::textOf(data, size), "config.json", ""));
  return 0;
}
