// What the commands write costs nobody a file: plans, weights, gradients, logs, models, and standard output.
#include "tests/faults/command.h"

#include "llvm/ADT/Optional.h"

#include <chrono>
#include <csignal>
#include <random>
#include <sys/stat.h>
#include <thread>

namespace autotp::test {
namespace {

namespace fs = std::filesystem;

class Outputs : public Commands {
protected:
  std::string at(const std::string &name) const { return folder.path() + "/" + name; }
  std::string read(const std::string &name) const { return contentsOf(at(name)); }
  /// As fails(); `path` is what is named.
  void refuses(const std::string &arguments, const std::string &what) const { fails(1, arguments, what); }

  /// A command line of the shell, in which $B is the folder of the commands, $D the test's and $F tests/fixtures: its
  /// exit code, 128 + n where a signal ended it.
  int shell(const std::string &line) const {
    setenv("B", (std::string(AUTOTP_BINARY_DIR) + "/bin").c_str(), 1);
    setenv("D", folder.path().c_str(), 1);
    setenv("F", fixtures.c_str(), 1);
    const int status = std::system(line.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  /// One line of error, exit code 1.
  void saysInTheShell(const std::string &line, const std::string &what) const {
    SCOPED_TRACE(line);
    EXPECT_EQ(shell(line + " 2> $D/.err"), 1);
    const std::string said = read(".err");
    EXPECT_NE(said.find(what), std::string::npos) << said;
    EXPECT_EQ(llvm::StringRef(said).count("error: "), 1u) << said;
  }

  const std::string compile = "autotp-compile @/mlp/model.onnx --micro-batch 2 -o {}/";
  const std::string train = "autotp-run {}/plan --steps 1 --feed @/mlp/batch.npz --quiet ";
};

/// A file called manifest.json makes no plan.
TEST_F(Outputs, AFolderOfTheUsersStays) {
  fs::create_directories(at("web/src"));
  fs::create_directories(at("web/.git"));
  for (const char *name : {"web/manifest.json", "web/src/app.js", "web/.git/HEAD", "plan.partial"})
    folder.write(name, "mine");
  refuses(compile + "web", "it exists, and holds what this command did not write: '.git', 'manifest.json', 'src'");
  Ended forced = run(compile + "web --force");
  EXPECT_EQ(forced.code, 0) << forced.err;
  const size_t where = forced.out.find(at("web.old-"));
  ASSERT_NE(where, std::string::npos) << forced.out;
  const std::string aside = llvm::StringRef(forced.out).drop_front(where).split('\n').first.str();
  for (const char *name : {"/manifest.json", "/src/app.js", "/.git/HEAD"})
    EXPECT_EQ(contentsOf(aside + name), "mine") << name;
  succeeds("autotp-plan memory {}/web");
  succeeds(compile + "plan");
  EXPECT_EQ(read("plan.partial"), "mine");
}

TEST_F(Outputs, APlanWithAFileOfTheUsersStays) {
  succeeds(compile + "plan");
  const std::vector<std::string> fresh = files();
  succeeds(train + "--save-weights {}/plan/trained.safetensors");
  refuses(compile + "plan", "'trained.safetensors'");
  fs::remove(at("plan/trained.safetensors"));
  folder.write("plan/manifest.json", read("plan/manifest.json") + " ");
  refuses(compile + "plan", "'manifest.json' (changed since)");
  succeeds(compile + "plan --force");
  succeeds(compile + "plan --tp 2 --shard all");
  succeeds(compile + "plan"); // of two ranks, by one
  const std::string list = read("plan/files.xxh128");
  succeeds(compile + "again");
  EXPECT_EQ(read("again/files.xxh128"), list);
  fs::remove_all(at("again"));
  for (const auto &entry : fs::directory_iterator(folder.path()))
    if (entry.path().filename().string().rfind("plan.old-", 0) == 0) fs::remove_all(entry.path());
  EXPECT_EQ(files(), fresh);
}

TEST_F(Outputs, NamesThatNoPlanGets) {
  folder.write("file", "mine");
  fs::create_directory(at("real"));
  fs::create_symlink("real", at("link"));
  ASSERT_EQ(mkfifo(at("fifo").c_str(), 0600), 0);
  fs::copy(fixtures + "/mlp", at("models"));
  for (const char *force : {"", " --force"}) {
    refuses(compile + "file" + force, "/file: it is a file, which no folder replaces");
    refuses(compile + "link" + force, "/link: it is a symbolic link");
    refuses(compile + "fifo" + force, "/fifo: it is a FIFO");
    refuses(compile + "file/plan" + force, "there is no folder '");
    refuses(compile + "none/plan" + force, "there is no folder '");
    refuses(std::string("autotp-compile {}/models/model.onnx -o {}/models") + force, "which is read");
    refuses(std::string("autotp-compile @/mlp/model.onnx -o /dev/null") + force, "it is a device");
  }
  EXPECT_EQ(read("file"), "mine");
  // In a plan, the folder itself has no name from within.
  succeeds(compile + "plan");
  const fs::path here = fs::current_path();
  fs::current_path(at("plan"));
  for (const char *name : {".", "..", "./", "../plan", "../../"})
    refuses(std::string("autotp-compile @/mlp/model.onnx --force -o ") + name, "error: ");
  fs::current_path(here);
  succeeds(train);
}

/// Either of them: a whole one.
TEST_F(Outputs, TwoCompilesToOneFolder) {
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(shell("a='--micro-batch 2 -o '$D/plan; for tp in 1 2; do "
                    "$B/autotp-compile $F/mlp/model.onnx --shard all --tp $tp $a > $D/$tp.txt 2>&1 & done; wait"),
              0);
    EXPECT_EQ(read("1.txt").find("error"), std::string::npos) << read("1.txt");
    EXPECT_EQ(read("2.txt").find("error"), std::string::npos) << read("2.txt");
    succeeds(train);
  }
  for (const auto &entry : fs::directory_iterator(folder.path()))
    EXPECT_TRUE(!entry.is_directory() || entry.path().filename() == "plan") << entry.path();
}

TEST_F(Outputs, AKilledCompileLeavesAWholePlan) {
  succeeds(compile + "plan");
  std::mt19937 random(1);
  std::uniform_int_distribution<int> microseconds(0, 60000);
  const std::string command = std::string(AUTOTP_BINARY_DIR) + "/bin/autotp-compile",
                    model = fixtures + "/mlp/model.onnx";
  int killed = 0;
  for (int i = 0; i < 40; ++i) {
    llvm::Optional<llvm::StringRef> silent[] = {llvm::StringRef(""), llvm::StringRef(""), llvm::StringRef("")};
    const std::string tp = std::to_string(1 + i % 2), plan = at("plan");
    llvm::StringRef words[] = {command, model, "--micro-batch", "2", "--shard", "all", "--tp", tp, "-o", plan};
    llvm::sys::ProcessInfo process = llvm::sys::ExecuteNoWait(command, words, llvm::None, silent);
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds(random)));
    kill(process.Pid, SIGKILL);
    killed += llvm::sys::Wait(process, 0, true).ReturnCode != 0;
    SCOPED_TRACE("kill " + std::to_string(i));
    succeeds(train);
  }
  EXPECT_GT(killed, 0);
  succeeds(compile + "plan"); // what was left lies in nobody's way
  for (const auto &entry : fs::directory_iterator(folder.path()))
    EXPECT_TRUE(!entry.is_directory() || entry.path().filename().string().rfind("plan", 0) == 0) << entry.path();
}

/// Found before the first step, not after the last one; and nothing but a file is replaced.
TEST_F(Outputs, FilesThatTrainingWrites) {
  succeeds(compile + "plan");
  folder.write("mine", "mine");
  fs::create_symlink("mine", at("link"));
  fs::create_directory(at("folder"));
  ASSERT_EQ(mkfifo(at("fifo").c_str(), 0600), 0);
  for (const char *flag : {"--log", "--dump-gradients", "--save-weights"}) {
    const std::string with = train + flag + " ";
    refuses(with + "{}/none/x", "there is no folder '");
    refuses(with + "{}/link", "/link: it is a symbolic link");
    refuses(with + "{}/folder", "/folder: it is a folder");
    refuses(with + "{}/fifo", "/fifo: it is a FIFO");
    refuses(with + "{}/plan/manifest.json", "it is read");
    refuses(with + "{}/plan/weights/../programs/0000.plan", "it is read");
    folder.write("mine.partial", "mine");
    folder.write("old", "old");
    succeeds(with + "{}/old");
    EXPECT_NE(read("old"), "old") << flag;
    EXPECT_EQ(read("mine.partial"), "mine");
  }
  refuses(train + "--save-weights /dev/null", "it is a device");
  refuses(train + "--log {}/first --save-weights {}/first", "it names the same file as --");
  refuses(train + "--log {}/first --save-weights {}/none/w", "/none/w");
  EXPECT_FALSE(fs::exists(at("first"))) << "a step was run";
  EXPECT_EQ(read("mine"), "mine");
}

TEST_F(Outputs, LogsThatAreReadAsTheyGrow) {
  succeeds(compile + "plan");
  EXPECT_EQ(shell("$B/autotp-run $D/plan --steps 2 --quiet --log /dev/stdout > $D/log"), 0);
  EXPECT_EQ(llvm::StringRef(read("log")).count('\n'), 2u) << read("log");
  ASSERT_EQ(mkfifo(at("fifo").c_str(), 0600), 0);
  EXPECT_EQ(shell("cat $D/fifo > $D/copy & sleep 0.2; $B/autotp-run $D/plan --steps 2 --quiet --log $D/fifo; wait"), 0);
  EXPECT_EQ(llvm::StringRef(read("copy")).count('\n'), 2u) << read("copy");
  saysInTheShell("$B/autotp-run $D/plan --steps 1000000 --quiet --log /dev/full",
                 "--log /dev/full: it cannot be written");
  saysInTheShell(
      "(sleep 0.2; exec <&-) < $D/fifo & sleep 0.1; $B/autotp-run $D/plan --steps 1000000 --quiet --log $D/fifo",
      "it cannot be written: Broken pipe");
}

/// LLVM's streams abort a process whose output cannot be written.
TEST_F(Outputs, StandardOutputThatTakesNothing) {
  succeeds(compile + "plan");
  const std::string says = "error: standard output: it cannot be written: No space left on device";
  saysInTheShell("$B/autotp-run $D/plan --steps 1000000 > /dev/full", says);
  saysInTheShell("$B/autotp-plan show $D/plan > /dev/full", says);
  saysInTheShell("$B/autotp-plan memory --json $D/plan > /dev/full", says);
  saysInTheShell("$B/autotp-compile --help > /dev/full", says);
  saysInTheShell("$B/autotp-compile $F/mlp/model.onnx -o $D/new > /dev/full", says);
  EXPECT_FALSE(fs::exists(at("new")));
  EXPECT_EQ(shell("$B/autotp-run $D/none 2> /dev/full"), 1);
  EXPECT_EQ(shell("$B/autotp-run $D/none 2>&-"), 1);
  EXPECT_EQ(shell("$B/autotp-run $D/plan --steps 1 --save-weights $D/w >&- <&-"), 0);
  EXPECT_EQ(read("w").find("step"), std::string::npos) << "a closed stream was taken for the file";
}

TEST_F(Outputs, ModelsThatAreWritten) {
  folder.write("config.json", R"({"model_type": "llama", "hidden_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 32, "vocab_size": 32,
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true})");
  const std::string write = "autotp-model llama --config {}/config.json --seq 8 -o ";
  fs::create_symlink("config.json", at("link"));
  refuses(write + "{}/link", "it is read");
  refuses(write + "{}/config.json", "it is read");
  refuses(write + "{}/none/x", "there is no folder '");
  refuses(write + "/dev/null", "it is a device");
  folder.write("model.onnx", "old");
  succeeds(write + "{}/model.onnx");
  EXPECT_NE(read("model.onnx"), "old");
}

} // namespace
} // namespace autotp::test
