// A graph as text, which autotp-opt reads: a mistake in it is named.
#include "compiler/ir/parse.h"
#include "compiler/ops/op_def.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  test::answered(parse(test::textOf(data, size), [](llvm::StringRef name) -> llvm::StringRef {
    const OpDef *row = findOp(name);
    return row ? row->name : "";
  }));
  return 0;
}
