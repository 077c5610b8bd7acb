// autotp-opt: runs passes of the compiler on a graph's text. Beside its own two, its options are those of autotp-compile.
#include "passes/compile_options.h"
#include "passes/options/option_rows.h"
#include "passes/options/read_options.h"
#include "passes/run_on_text.h"
#include "tools/command_line.h"
#include "tools/option_flags.h"

#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using autotp::problem;

static cl::OptionCategory category("Text and passes");
static cl::opt<std::string> file(cl::Positional, cl::desc("FILE.ir|-"), cl::Required, cl::cat(category));
static cl::list<std::string> passes("pass", cl::desc("what runs, in this order; a wrong name lists all"),
                                    cl::value_desc("NAME[,NAME...]"), cl::CommaSeparated, cl::cat(category));

static Error run(const autotp::CompileOptions &options) {
  auto text = MemoryBuffer::getFileOrSTDIN(file);
  if (!text) return problem(file, "it cannot be read: " + text.getError().message());
  Expected<std::string> left =
      autotp::runOnText((*text)->getBuffer(), std::vector<std::string>(passes.begin(), passes.end()), options);
  if (!left) return autotp::placed(file, left.takeError());
  outs() << *left;
  return Error::success();
}

int main(int argc, char **argv) {
  const autotp::OptionFlags flags({autotp::modelOptions(), autotp::meshOptions(), autotp::optimizerOptions()});
  std::vector<const cl::OptionCategory *> categories = flags.categories();
  categories.push_back(&category);
  if (!autotp::parseCommandLine(
          argc, argv, categories,
          "Runs passes of the compiler on a graph's text, as --print-after prints it, and prints what "
          "the last of them left.\n"))
    return 2;
  autotp::CompileOptions options;
  if (autotp::exitCode(setFlags(flags.given(), options)) != 0) return 2;
  if (autotp::exitCode(readOptionFiles(options)) != 0) return 1;
  return autotp::exitCode(run(options));
}
