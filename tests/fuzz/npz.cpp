// A feed: a zip of numpy's arrays.
#include "runtime/data/npz.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  test::answered(readNpz(test::fuzzFile("feed.npz", test::textOf(data, size))));
  return 0;
}
