// JSON of anybody's: what is read is written and read again to the same.
#include "runtime/base/parse_json.h"
#include "tests/fuzz/fuzz_input.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  llvm::Expected<llvm::json::Value> value = parseJson(test::textOf(data, size));
  if (value) {
    const std::string text = llvm::formatv("{0}", *value).str();
    llvm::Expected<llvm::json::Value> again = parseJson(text);
    if (!again || llvm::formatv("{0}", *again).str() != text) std::abort();
  }
  test::answered(std::move(value));
  return 0;
}
