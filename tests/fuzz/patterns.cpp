// A regular expression of --train, --freeze or a partition_config: the first line; names of parameters: the others.
#include "runtime/base/bounded_regex.h"
#include "tests/fuzz/fuzz_input.h"

#include "llvm/Support/Regex.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  auto [pattern, names] = test::textOf(data, size).split('\n');
  if (!faultOfRegex(pattern).empty()) return 0;
  llvm::Regex regex(pattern);
  while (!names.empty()) {
    llvm::StringRef name;
    std::tie(name, names) = names.split('\n');
    (void)regex.match(name.take_front(200));
  }
  return 0;
}
