/// \file Output that must cost nobody a file: what is replaced, what is refused, and what is there at each instant.
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/output_file.h"
#include "runtime/base/output_folder.h"
#include "tests/runtime/temporary_file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <thread>

namespace autotp {
namespace {

namespace fs = std::filesystem;

class Output : public testing::Test {
protected:
  std::string at(const std::string &name) const { return folder.path() + "/" + name; }
  std::string read(const std::string &name) const {
    std::ifstream stream(at(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  }
  /// Names of the test's folder, in order.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto &entry : fs::directory_iterator(folder.path()))
      all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
  }
  void linkTo(const std::string &target, const std::string &name) const { fs::create_symlink(target, at(name)); }

  /// "" where it went well.
  static std::string said(llvm::Error error) { return error ? describe(std::move(error)) : ""; }
  std::string writeFile(const std::string &name, const std::string &text, Replaces replaces = Replaces::RegularFiles) {
    auto file = OutputFile::create(at(name), replaces);
    if (!file) return said(file.takeError());
    (*file)->stream() << text;
    return said((*file)->commit());
  }
  std::string stream(const std::string &name, const std::string &text) {
    auto os = openStreamed(at(name));
    if (!os) return said(os.takeError());
    **os << text;
    return said(flushed(**os, name));
  }

  /// A folder of three files that hold `text`.
  std::string writeFolder(
      const std::string &name, const std::string &text, OutputFolder::Options options = {},
      llvm::function_ref<void()> beforeCommit = [] {}) {
    auto made = OutputFolder::open(at(name), std::move(options));
    if (!made) return said(made.takeError());
    for (const char *file : {"manifest.json", "programs/0.plan", "weights/0"})
      if (auto digest = (*made)->write(file, [&](llvm::raw_ostream &os) { os << file << text; }); !digest)
        return said(digest.takeError());
    beforeCommit();
    auto moved = (*made)->commit();
    if (!moved) return said(moved.takeError());
    movedTo = *moved;
    return "";
  }
  /// What was written, if it is whole.
  std::string textOf(const std::string &name) const {
    const std::string manifest = read(name + "/manifest.json"),
                      text = manifest.substr(std::min<size_t>(13, manifest.size()));
    const bool isWhole = read(name + "/programs/0.plan") == "programs/0.plan" + text &&
                         read(name + "/weights/0") == "weights/0" + text && fs::exists(at(name) + "/files.xxh128");
    return isWhole ? text : "not whole";
  }
  static OutputFolder::Options forced() {
    OutputFolder::Options options;
    options.force = true;
    return options;
  }
  /// Of a file system that cannot exchange.
  static OutputFolder::Options withoutExchange() {
    OutputFolder::Options options;
    options.exchange = [](const char *, const char *) {
      errno = EINVAL;
      return -1;
    };
    return options;
  }

  test::TemporaryFolder folder;
  std::string movedTo;
};

using Names = std::vector<std::string>;

void expectSays(const std::string &text, const std::string &part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << text << "' does not say: " << part;
}

TEST_F(Output, AFileIsReplacedWhenItIsWhole) {
  folder.write("f", "old");
  folder.write("f.partial", "mine");
  fs::permissions(at("f"), fs::perms::owner_read | fs::perms::owner_write);
  {
    auto file = OutputFile::create(at("f"));
    ASSERT_TRUE(bool(file)) << said(file.takeError());
    (*file)->stream() << "new";
    (*file)->stream().flush();
    EXPECT_EQ(read("f"), "old");
    ASSERT_EQ(said((*file)->commit()), "");
  }
  EXPECT_EQ(read("f"), "new");
  EXPECT_EQ(fs::status(at("f")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  { ASSERT_TRUE(bool(OutputFile::create(at("f")))); } // and no commit
  EXPECT_EQ(read("f"), "new");
  EXPECT_EQ(read("f.partial"), "mine");
  EXPECT_EQ(names(), (Names{"f", "f.partial"}));
}

TEST_F(Output, NothingButRegularFilesIsReplaced) {
  folder.write("mine", "mine");
  fs::create_directory(at("folder"));
  linkTo("mine", "link");
  linkTo("nowhere", "dangling");
  ASSERT_EQ(mkfifo(at("fifo").c_str(), 0600), 0);
  const Names before = names();
  for (auto [name, what] : {std::pair("folder", "it is a folder"),
                            {"link", "it is a symbolic link"},
                            {"dangling", "it is a symbolic link"},
                            {"fifo", "it is a FIFO"},
                            {"mine/below", "it cannot be looked up: Not a directory"},
                            {"none/below", "there is no folder '"},
                            {"none/", "it names no file"}})
    expectSays(writeFile(name, "new"), what);
  expectSays(said(OutputFile::create("/dev/null").takeError()), "it is a device");
  expectSays(writeFile("mine", "new", Replaces::Nothing), "it exists");
  EXPECT_EQ(read("mine"), "mine");
  EXPECT_EQ(names(), before);
  EXPECT_EQ(writeFile("new", "new", Replaces::Nothing), "");
  EXPECT_EQ(read("new"), "new");
}

/// Between create() and commit() something may come to stand there.
TEST_F(Output, WhatCameMeanwhileIsNotReplaced) {
  for (const char *name : {"link", "other"}) {
    auto file = OutputFile::create(at(name), name == std::string("link") ? Replaces::RegularFiles : Replaces::Nothing);
    ASSERT_TRUE(bool(file)) << said(file.takeError());
    folder.write("other", "mine");
    if (name == std::string("link")) linkTo("other", "link");
    EXPECT_NE(said((*file)->commit()), "");
    if (name == std::string("link")) fs::remove(at("other"));
  }
  EXPECT_EQ(names(), (Names{"link", "other"}));
  EXPECT_EQ(read("other"), "mine");
}

TEST_F(Output, AnOutputThatIsRead) {
  folder.write("weights", "mine");
  fs::create_hard_link(at("weights"), at("same"));
  expectSays(said(checkIsNotRead(at("same"), {"", at("none"), at("weights")})), "it is read");
  EXPECT_EQ(said(checkIsNotRead(at("new"), {at("weights")})), "");
}

TEST_F(Output, StreamsGoToWhatIsMadeForThem) {
  folder.write("log", "a long former log");
  EXPECT_EQ(stream("log", "new"), "");
  EXPECT_EQ(read("log"), "new");
  linkTo("log", "link");
  expectSays(stream("link", "x"), "it is a symbolic link");
  linkTo("/dev/null", "null");
  EXPECT_EQ(stream("null", "x"), "");
  ASSERT_EQ(mkfifo(at("fifo").c_str(), 0600), 0);
  expectSays(stream("fifo", "x"), "it is a FIFO that nobody reads");
  const int reader = open(at("fifo").c_str(), O_RDONLY | O_NONBLOCK);
  EXPECT_EQ(stream("fifo", "new"), "");
  char text[4] = {};
  EXPECT_EQ(::read(reader, text, sizeof text), 3);
  close(reader);
  EXPECT_EQ(text, std::string("new"));
  EXPECT_EQ(read("log"), "new");
  linkTo("/dev/full", "full");
  expectSays(stream("full", "x"), "No space left on device");
}

TEST_F(Output, AFolderIsReplacedWhereAllOfItIsOurs) {
  for (const OutputFolder::Options &options : {OutputFolder::Options(), withoutExchange()})
    for (const char *text : {"a", "b", "b"}) {
      EXPECT_EQ(writeFolder("plan", text, options), "");
      EXPECT_EQ(textOf("plan"), text);
      EXPECT_EQ(movedTo, "");
      EXPECT_EQ(names(), Names{"plan"});
    }
  fs::remove(at("plan/weights/0")); // what is missing costs nobody anything
  EXPECT_EQ(writeFolder("plan/", "c"), "");
  EXPECT_EQ(textOf("plan"), "c");
  fs::create_directory(at("empty"));
  EXPECT_EQ(writeFolder("empty", "d"), "");
  EXPECT_EQ(textOf("empty"), "d");
  EXPECT_EQ(names(), (Names{"empty", "plan"}));
}

TEST_F(Output, TheListIsThatOfXxh128sum) {
  ASSERT_EQ(writeFolder("plan", "x"), "");
  const std::string list = "# written by autotp: this folder holds these files and no others\n" +
                           digestOf("manifest.jsonx") + "  manifest.json\n" + digestOf("programs/0.planx") +
                           "  programs/0.plan\n" + digestOf("weights/0x") + "  weights/0\n";
  EXPECT_EQ(read("plan/files.xxh128"), list + "# digest of the lines above: " + digestOf(list) + "\n");
}

/// Each of these makes a folder one that holds something of the user's.
TEST_F(Output, AFolderWithAnythingElseIsRefusedOrMovedAside) {
  const std::pair<const char *, std::function<void()>> kEdits[] = {
      {"'notes'", [&] { folder.write("plan/notes", "mine"); }},
      {"'weights/trained'", [&] { folder.write("plan/weights/trained", "mine"); }},
      {"'.git'", [&] { fs::create_directory(at("plan/.git")); }},
      {"'manifest.json' (changed since)", [&] { folder.write("plan/manifest.json", "{\"mine\": 1}"); }},
      {"'weights/0'", [&] { fs::remove(at("plan/weights/0")), linkTo(at("plan/manifest.json"), "plan/weights/0"); }},
      {"'weights'", [&] { fs::rename(at("plan/weights"), at("w")), linkTo(at("w"), "plan/weights"); }},
      {"'programs'", [&] { fs::remove(at("plan/files.xxh128")); }},
      {"'programs'", [&] { folder.write("plan/files.xxh128", read("plan/files.xxh128") + "x"); }},
      {"'programs'", [&] { // a list that was extended by hand
         std::string list = read("plan/files.xxh128");
         folder.write("plan/notes", "mine");
         list.insert(list.rfind("# digest"), digestOf("mine") + "  notes\n");
         folder.write("plan/files.xxh128", list);
       }}};
  for (const auto &[name, edit] : kEdits) {
    ASSERT_EQ(writeFolder("plan", "old"), "");
    edit();
    const std::string refused = writeFolder("plan", "new");
    expectSays(refused, "it exists, and holds what this command did not write: ");
    expectSays(refused, name);
    for (bool canExchange : {true, false}) {
      OutputFolder::Options options = canExchange ? OutputFolder::Options() : withoutExchange();
      options.force = true;
      EXPECT_EQ(writeFolder("plan", "new", options), "");
      EXPECT_EQ(textOf("plan"), "new");
      if (!canExchange) continue; // the second time it was ours
      EXPECT_EQ(movedTo.substr(0, at("plan.old-").size()), at("plan.old-"));
      if (fs::exists(movedTo + "/notes")) {
        EXPECT_EQ(read(fs::path(movedTo).filename().string() + "/notes"), "mine");
      }
    }
    fs::remove_all(movedTo);
  }
}

TEST_F(Output, AForcedFolderIsMovedAsideWithoutExchangeToo) {
  folder.write("f", "");
  fs::create_directory(at("web"));
  folder.write("web/manifest.json", "mine");
  OutputFolder::Options options = withoutExchange();
  options.force = true;
  ASSERT_EQ(writeFolder("web", "new", options), "");
  EXPECT_EQ(textOf("web"), "new");
  EXPECT_EQ(read(fs::path(movedTo).filename().string() + "/manifest.json"), "mine");
}

TEST_F(Output, WhatNoFolderReplaces) {
  folder.write("file", "mine");
  fs::create_directory(at("real"));
  linkTo("real", "link");
  ASSERT_EQ(mkfifo(at("fifo").c_str(), 0600), 0);
  fs::create_directories(at("models/inner"));
  folder.write("models/inner/model.onnx", "mine");
  linkTo("models/inner/model.onnx", "model.onnx");
  const Names before = names();
  OutputFolder::Options options = forced();
  options.inputs = {"", at("none"), at("model.onnx")};
  for (auto [name, what] : {std::pair("file", "it is a file"),
                            {"link", "it is a symbolic link"},
                            {"link/", "it is a symbolic link"},
                            {"fifo", "it is a FIFO"},
                            {"file/below", "there is no folder '"},
                            {"none/below", "there is no folder '"},
                            {"real/.", "it names no folder"},
                            {"real/..", "it names no folder"},
                            {"models", "it holds '"},
                            {"models/inner", "it holds '"}})
    expectSays(writeFolder(name, "new", options), what);
  for (const char *path : {"", ".", "./", "..", "/", "//"})
    expectSays(said(OutputFolder::open(path, forced()).takeError()), "it names no folder");
  const fs::path here = fs::current_path();
  fs::create_directory(at("real/inner"));
  fs::current_path(at("real/inner"));
  expectSays(writeFolder("real", "new", forced()), "this command runs in that folder");
  expectSays(writeFolder("link/inner", "new", forced()), "this command runs in that folder");
  fs::current_path(here);
  EXPECT_EQ(names(), before);
  EXPECT_EQ(read("models/inner/model.onnx"), "mine");
}

/// What was looked at before the work may be something else after it.
TEST_F(Output, AFolderThatChangesMeanwhile) {
  ASSERT_EQ(writeFolder("plan", "old"), "");
  expectSays(writeFolder("plan", "new", {}, [&] { folder.write("plan/notes", "mine"); }), "'notes'");
  EXPECT_EQ(read("plan/notes"), "mine");
  EXPECT_EQ(textOf("plan"), "old");
  fs::remove(at("plan/notes"));
  EXPECT_EQ(writeFolder("plan", "new", {}, [&] { EXPECT_EQ(writeFolder("plan", "another"), ""); }), "");
  EXPECT_EQ(textOf("plan"), "new");
  expectSays(writeFolder("other", "new", {}, [&] { folder.write("other", "mine"); }), "it is a file");
  EXPECT_EQ(read("other"), "mine");
  EXPECT_EQ(names(), (Names{"other", "plan"}));
}

/// A writer without exchanges is between its two renames for as long as its thread sleeps there.
TEST_F(Output, AFolderThatIsMovedAwayMeanwhile) {
  auto contents = examineFolder(at("plan"));
  ASSERT_TRUE(bool(contents)) << said(contents.takeError());
  EXPECT_TRUE(contents->isEmpty());
  ASSERT_EQ(writeFolder("plan", "old"), "");
  EXPECT_EQ(writeFolder("plan", "new", {}, [&] { fs::rename(at("plan"), at("aside")); }), "");
  EXPECT_EQ(textOf("plan"), "new");
  EXPECT_EQ(textOf("aside"), "old");
}

TEST_F(Output, AFolderThatFailsLeavesNothing) {
  {
    auto made = OutputFolder::open(at("plan"), {});
    ASSERT_TRUE(bool(made)) << said(made.takeError());
    ASSERT_TRUE(bool((*made)->write("programs/0", [](llvm::raw_ostream &os) { os << "x"; })));
    EXPECT_EQ(names().size(), 1u);
  }
  EXPECT_EQ(names(), Names{});
}

TEST_F(Output, WritersOfOneFolderLeaveAWholeOne) {
  for (bool canExchange : {true, false}) {
    constexpr int kWriters = 4, kTimes = 25;
    ASSERT_EQ(writeFolder("plan", "first"), "");
    std::atomic<bool> isOver = false;
    std::atomic<int> misses = 0;
    std::thread reader([&] {
      while (!isOver && canExchange) // without, the name is free for an instant
        misses += !fs::exists(at("plan"));
    });
    std::vector<std::thread> writers;
    for (int w = 0; w < kWriters; ++w)
      writers.emplace_back([&, w] {
        for (int i = 0; i < kTimes; ++i) {
          auto made = OutputFolder::open(at("plan"), canExchange ? OutputFolder::Options() : withoutExchange());
          ASSERT_TRUE(bool(made)) << said(made.takeError());
          for (const char *file : {"manifest.json", "programs/0.plan", "weights/0"})
            ASSERT_TRUE(bool((*made)->write(file, [&](llvm::raw_ostream &os) { os << file << w; })));
          auto moved = (*made)->commit();
          ASSERT_TRUE(bool(moved)) << said(moved.takeError());
          EXPECT_EQ(*moved, "");
        }
      });
    for (std::thread &writer : writers)
      writer.join();
    isOver = true;
    reader.join();
    EXPECT_EQ(misses, 0);
    EXPECT_EQ(textOf("plan").size(), 1u) << textOf("plan");
    EXPECT_EQ(names(), Names{"plan"});
  }
}

} // namespace
} // namespace autotp
