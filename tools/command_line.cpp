#include "tools/command_line.h"

#include "runtime/base/output_file.h"
#include "tools/commit.h" // written by the build

#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

#include <chrono>
#include <cstdlib>
#include <thread>
#include <unistd.h>

namespace autotp {
namespace {

constexpr const char *kStandardOutput = "standard output";

void print(llvm::StringRef text) {
  llvm::errs() << text << "\n";
  llvm::errs().clear_error(); // nobody can be told
}

/// LLVM's streams abort the process where they end with an error: after --help, which ends it itself, say.
void endStreams() {
  llvm::Error error = flushed(llvm::outs(), kStandardOutput);
  if (!error) return;
  print(describe(std::move(error)));
  _exit(1);
}

} // namespace

bool parseCommandLine(int argc, char **argv, llvm::ArrayRef<const llvm::cl::OptionCategory *> categories,
                      llvm::StringRef overview, llvm::StringRef parts) {
  (void)llvm::sys::Process::FixupStandardFileDescriptors();
  llvm::outs(); // made before what is to run at exit, so it is there still
  llvm::errs();
  std::atexit(endStreams);
  llvm::cl::HideUnrelatedOptions(categories);
  llvm::cl::SetVersionPrinter(
      [command = llvm::sys::path::filename(argv[0]).str(), text = parts.str()](llvm::raw_ostream &os) {
        os << command << " " AUTOTP_VERSION " (commit " AUTOTP_COMMIT ")\n" << text;
      });
  std::string said;
  llvm::raw_string_ostream os(said);
  if (llvm::cl::ParseCommandLineOptions(argc, argv, overview, &os)) return true;
  if (os.str().empty()) return false; // LLVM wrote of a value itself, to stderr
  llvm::StringRef command = llvm::sys::path::filename(argv[0]), line = llvm::StringRef(os.str()).split('\n').first;
  line.consume_front(command.str() + ": ");
  print(describe(problem("", line.split("  Try: ").first, "see " + command.str() + " --help")));
  return false;
}

int exitCode(llvm::Error error, llvm::function_ref<void(llvm::StringRef)> said) {
  if (!error) error = flushed(llvm::outs(), kStandardOutput);
  if (!error) return 0;
  if (error.isA<SaidElsewhere>()) {
    llvm::consumeError(std::move(error));
    std::this_thread::sleep_for(std::chrono::milliseconds(500)); // launchers end all ranks once one has: let it speak
    return 1;
  }
  llvm::consumeError(flushed(llvm::outs(), kStandardOutput)); // one error is said, the first
  const std::string text = describe(std::move(error));
  said(text); // first: a launcher ends this process once it sees another one end
  print(text);
  return 1;
}

} // namespace autotp
