// The certificate on a program that was changed: bytes of the program of tp rank 0, beside the sound one of tp rank 1.
#include "compiler/certify/certify.h"
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pipeline.h"
#include "runtime/base/digest.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/program_file.h"
#include "tests/fuzz/fuzz_input.h"

#include <cstdio>
#include <cstdlib>

namespace autotp::test {
namespace {

struct Sound {
  CompileOptions options;
  CompiledModel compiled;

  Sound() {
    options.model = AUTOTP_SOURCE_DIR "/tests/fixtures/mlp/model.onnx";
    options.step.tp = options.step.dp = 2;
    options.shard = ShardMode::All;
    llvm::Expected<CompiledModel> made = compile(options);
    if (!made) {
      std::fprintf(stderr, "%s\n", describe(made.takeError()).c_str());
      std::abort();
    }
    compiled = std::move(*made);
  }
};

} // namespace
} // namespace autotp::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  static const test::Sound sound;
  const llvm::StringRef bytes = test::textOf(data, size);
  llvm::Expected<plan::Program> program = readProgram(test::fuzzFile("0000.plan", bytes), digestOf(bytes), 2, 2);
  if (program)
    test::answered(certify(sound.compiled.graph, {&*program, &sound.compiled.ranks.emitted[1]},
                           certifyOptions(sound.options.step, sound.compiled)));
  test::answered(std::move(program));
  return 0;
}
