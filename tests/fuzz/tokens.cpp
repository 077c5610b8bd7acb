// A file of tokens: the first byte says the kind. Megatron's index has 64 bytes of tokens beside it.
#include "runtime/data/data_kinds.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  if (size == 0) return 0;
  const DataKind &kind = dataKinds()[data[0] % dataKinds().size()];
  const llvm::StringRef bytes = test::textOf(data + 1, size - 1);
  test::fuzzFile("tokens.bin", std::string(64, '\1'));
  const std::string path = test::fuzzFile(kind.name == "megatron" ? "tokens.idx" : "tokens", bytes);
  llvm::Expected<TokenFile> file = kind.open("tokens", path);
  int64_t sum = 0;
  if (file) {
    for (int64_t i = 0; i < file->count; ++i)
      sum += file->at(i);
    if (llvm::Error error = checkTold("tokens", kind, *file, sum % 100)) (void)describe(std::move(error));
  }
  test::answered(std::move(file));
  return 0;
}
