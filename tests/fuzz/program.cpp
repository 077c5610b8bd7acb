// The program of a plan's rank, whose digest is right: as somebody would write it who knows the format.
#include "runtime/base/digest.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/program_file.h"
#include "runtime/plan/program_text.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  const llvm::StringRef bytes = test::textOf(data, size);
  llvm::Expected<plan::Program> program =
      readProgram(test::fuzzFile("0000.plan", bytes), digestOf(bytes), /*tp=*/2, /*dp=*/2);
  if (!program) {
    test::answered(std::move(program));
    return 0;
  }
  if (llvm::Error error = checkCalls(*program)) (void)describe(std::move(error));
  (void)linesOf(*program, /*hasAddresses=*/true);
  return 0;
}
