/// \file Every kind of token file by value, written byte by byte; and files of which it is doubtful what they are.
#include "runtime/data/data_kinds.h"
#include "tests/runtime/data_files.h"

namespace autotp {
namespace {

using namespace test;

/// The tokens 100 to 112, of so many bytes each: three samples of four.
std::string tokens(int bytes, size_t count = 13) {
  std::string text;
  for (size_t i = 0; i < count; ++i)
    text += little(100 + i, bytes);
  return text;
}

std::string llmc(uint32_t magic, uint32_t version, uint32_t count, const std::string &data) {
  return little(magic, 4) + little(version, 4) + little(count, 4) + std::string(1024 - 12, '\0') + data;
}

/// An index of three sequences, the second one empty, in two documents.
std::string megatronIndex(uint8_t code, int bytes, uint64_t version = 1, int64_t second = 5) {
  std::string text = std::string("MMIDIDX\0\0", 9) + little(version, 8) + char(code) + little(3, 8) + little(3, 8);
  text += little(5, 4) + little(0, 4) + little(8, 4);
  text += little(0, 8) + little(uint64_t(second * bytes), 8) + little(uint64_t(5 * bytes), 8);
  return text + little(0, 8) + little(2, 8) + little(3, 8);
}

class TokenFiles : public testing::Test {
protected:
  TemporaryFolder folder;

  /// What samples of a model of four tokens hold in order: "100 101 ...", or the message.
  std::string read(const std::string &spec, int64_t vocabulary = 200, int64_t samples = 3) {
    auto source = openTokens(spec, tokensManifest(vocabulary), {.order = DataOrder::Sequential});
    if (!source) return describe(source.takeError());
    std::string text;
    for (int64_t row = 0; row < samples; ++row)
      for (int64_t token : rowOf(**source, row, 0))
        text += std::to_string(token) + " ";
    return text + std::to_string(rowOf(**source, samples - 1, 1).back());
  }
  std::string readFile(const std::string &name, const std::string &bytes) { return read(folder.write(name, bytes)); }

  const std::string all = "100 101 102 103 104 105 106 107 108 109 110 111 112";
};

/// Whether a message says what is wrong, and what to do about it.
testing::AssertionResult says(const std::string &message, const std::string &what, const std::string &remedy = "") {
  const bool hasWhat = message.find(what) != std::string::npos;
  const bool hasRemedy = remedy.empty() || message.find("do:  " + remedy) != std::string::npos;
  return hasWhat && hasRemedy ? testing::AssertionSuccess() : testing::AssertionFailure() << message;
}

TEST_F(TokenFiles, Text) {
  for (const char *name : {"a.txt", "a.md", "a.TXT"})
    EXPECT_EQ(readFile(name, "defghijklmnop"), all);
  folder.write("a.log", "defghijklmnop");
  EXPECT_TRUE(says(read(folder.path() + "/a.log"), "a.log: its name does not tell what it is",
                   "say text:FILE, jsonl:FILE, uint16:FILE, uint32:FILE, llmc:FILE, megatron:FILE or npy:FILE"));
  EXPECT_EQ(read("text:" + folder.path() + "/a.log"), all);
  EXPECT_TRUE(says(readFile("b.txt", std::string(20, '\0')), "named as a text, but holds zero bytes", "say text:FILE"));
  EXPECT_EQ(read("text:" + folder.path() + "/b.txt", 200, 1), "0 0 0 0 0");
}

TEST_F(TokenFiles, Jsonl) {
  const std::string lines =
      "{\"id\": 1, \"text\": \"de\\u0066\"}\n\n  {\"text\": \"\"}\r\n{\"text\": \"ghijklmnopqrstu\"}";
  EXPECT_EQ(readFile("a.jsonl", lines), "100 101 102 10 10 103 104 105 106 107 108 109 110");
  EXPECT_EQ(read("jsonl:" + folder.write("a.log", lines), 200, 1), "100 101 102 10 10");
  const std::string said = readFile("b.jsonl", "{\"text\": 1}\n{\"text\": \"a\"}\n[]\n{\n" + std::string(100000, '['));
  EXPECT_TRUE(says(said, "b.jsonl: line 1: it has no text under the key \"text\"", "give a line such as"));
  EXPECT_TRUE(says(said, "line 3: it is no object"));
  EXPECT_TRUE(says(said, "line 4: it is no JSON"));
  EXPECT_TRUE(says(said, "line 5: it is nested too deeply"));
}

TEST_F(TokenFiles, NanoGpt) {
  EXPECT_EQ(readFile("a.bin", tokens(2)), all);
  EXPECT_EQ(read("uint16:" + folder.path() + "/a.bin"), all);
  EXPECT_TRUE(says(readFile("odd.bin", tokens(2) + "x"), "its size is odd, but its tokens are of two bytes"));
  folder.write("b.bin", tokens(4));
  EXPECT_EQ(read("uint32:" + folder.path() + "/b.bin"), all);
  EXPECT_TRUE(says(read(folder.path() + "/b.bin"), "may be of two bytes or of four", "say uint16:FILE or uint32:FILE"));
  EXPECT_TRUE(says(read(folder.path() + "/b.bin", 200000), "may be of two bytes or of four"));
  EXPECT_EQ(read("uint16:" + folder.path() + "/b.bin", 200, 1), "100 0 101 0 102");
  EXPECT_TRUE(says(read("uint32:" + folder.write("c.bin", tokens(2))), "its size is no multiple of four"));
}

TEST_F(TokenFiles, Llmc) {
  const std::string gpt2 = llmc(20240520, 1, 13, tokens(2)), llama = llmc(20240801, 7, 13, tokens(4));
  EXPECT_EQ(readFile("a.bin", gpt2), all);
  EXPECT_EQ(readFile("b.bin", llama), all);
  EXPECT_EQ(read("llmc:" + folder.write("a.data", llama)), all);
  EXPECT_TRUE(says(read(folder.path() + "/a.data"), "its name does not tell", "say llmc:FILE"));
  EXPECT_TRUE(says(readFile("c.bin", llmc(20240520, 2, 13, tokens(2))), "of version 2 of llm.c's shards, not 1"));
  EXPECT_TRUE(says(readFile("c.bin", llmc(20240801, 1, 13, tokens(4))), "of version 1 of llm.c's shards, not 7"));
  EXPECT_TRUE(says(readFile("c.bin", llmc(20240520, 1, 14, tokens(2))), "says that it has 14 tokens, and has 13"));
  EXPECT_TRUE(says(readFile("c.bin", gpt2 + "x"), "its size is odd"));
  EXPECT_TRUE(says(readFile("c.bin", gpt2.substr(0, 500)), "shorter than the header"));
  EXPECT_TRUE(says(read("llmc:" + folder.write("c.bin", tokens(2))), "does not begin as llm.c's shards do"));
  EXPECT_TRUE(says(readFile("c.txt", gpt2), "begins as a file of the kind llmc, but is named .txt",
                   "say text:FILE or llmc:FILE"));
}

TEST_F(TokenFiles, Npy) {
  for (auto [descr, bytes] :
       {std::pair("|i1", 1), {"<i2", 2}, {"<i4", 4}, {"<i8", 8}, {"|u1", 1}, {"<u2", 2}, {"<u4", 4}, {"<u8", 8}}) {
    EXPECT_EQ(readFile("a.npy", npy(descr, "(13,)", tokens(bytes))), all) << descr;
    EXPECT_EQ(readFile("a.npy", npy(descr, "(1, 13)", tokens(bytes))), all) << descr;
  }
  EXPECT_EQ(read("npy:" + folder.write("a.data", npy("<u2", "(13,)", tokens(2)))), all);
  EXPECT_TRUE(says(readFile("a.npy", npy("<f4", "(13,)", tokens(4))), "its elements are no whole numbers",
                   "store tokens as such"));
  EXPECT_TRUE(says(readFile("a.npy", npy("|b1", "(13,)", tokens(1))), "its elements are no whole numbers"));
  EXPECT_TRUE(says(readFile("a.npy", npy(">u2", "(13,)", tokens(2))), "its element type is not a little-endian"));
  EXPECT_TRUE(says(readFile("a.npy", npy("<u2", "(12,)", tokens(2))), "its size does not fit its shape"));
  EXPECT_TRUE(says(readFile("a.npy", tokens(2)), "named .npy, but does not begin as such a file"));
  EXPECT_TRUE(says(readFile("a.bin", npy("<u2", "(13,)", tokens(2))), "of the kind npy, but is named .bin"));
  EXPECT_TRUE(says(readFile("a.npy", npy("<i2", "(6,)", little(0xffff, 2) + tokens(2, 5))), "token -1 at position 0"));
}

TEST_F(TokenFiles, Megatron) {
  for (auto [code, bytes] : {std::pair(1, 1), {2, 1}, {3, 2}, {4, 4}, {5, 8}, {8, 2}}) {
    folder.write("a.idx", megatronIndex(uint8_t(code), bytes));
    EXPECT_EQ(readFile("a.bin", tokens(bytes)), all) << code;
  }
  for (const char *name : {"/a.idx", "/a.*"})
    EXPECT_EQ(read(folder.path() + name), all);
  EXPECT_EQ(read("megatron:" + folder.path() + "/a"), all);
  auto source = openTokens(folder.path() + "/a.bin", tokensManifest(200));
  ASSERT_TRUE(bool(source));
  EXPECT_EQ((*source)->files(), (std::vector<std::string>{folder.path() + "/a.bin", folder.path() + "/a.idx"}));
  auto withIndex = [&](const std::string &index) {
    folder.write("a.idx", index);
    return read(folder.path() + "/a.bin");
  };
  const std::string good = megatronIndex(8, 2);
  EXPECT_TRUE(says(withIndex(megatronIndex(7, 4)), "its index says that its elements are no whole numbers (type 7)"));
  EXPECT_TRUE(says(withIndex(megatronIndex(8, 2, 2)), "its index is of version 2, not 1"));
  EXPECT_TRUE(says(withIndex(megatronIndex(8, 2, 1, 6)), "does not put sequence 1 behind the one before"));
  EXPECT_TRUE(says(withIndex(megatronIndex(4, 4)), "it has 26 bytes, and the sequences of its index 52"));
  for (size_t size = 9; size < good.size(); size += 5)
    EXPECT_TRUE(says(withIndex(good.substr(0, size)), "its index is")) << size;
  EXPECT_TRUE(says(withIndex("something else"), "which is no index of Megatron's", "say uint16:FILE or uint32:FILE"));
  EXPECT_EQ(read("uint16:" + folder.path() + "/a.bin"), all);
  EXPECT_TRUE(says(read("megatron:" + folder.path() + "/none"), "none.idx: it cannot be read"));
}

/// Files that are taken for tokens by their names.
TEST_F(TokenFiles, OtherFormats) {
  const std::pair<const char *, std::string> files[] = {{"a.npz", npz("ids.npy", npy("<u2", "(13,)", tokens(2)))},
                                                        {"a.bin", "PK\x03\x04" + tokens(2)},
                                                        {"a.txt", "\x1f\x8b\x08" + tokens(1)},
                                                        {"a.parquet", "PAR1" + tokens(2)},
                                                        {"a.bin", "\x89HDF" + tokens(2)},
                                                        {"a.arrow", "ARROW1" + tokens(2)}};
  for (const auto &[name, bytes] : files)
    EXPECT_TRUE(says(readFile(name, bytes), std::string(name) + ": it is ", "make a file of tokens with")) << name;
  EXPECT_TRUE(says(read(folder.path()), "it is a folder", "name the files in it"));
  EXPECT_TRUE(says(read(folder.path() + "/none.bin"), "none.bin: it cannot be read"));
  EXPECT_TRUE(says(read("/dev/zero"), "it is no regular file"));
}

TEST_F(TokenFiles, VocabularyInTheWholeFile) {
  std::string words;
  for (int i = 0; i < 3'000'000; ++i)
    words += little(uint64_t(i % 7 + 1), 2);
  const std::string good = folder.write("good.bin", words);
  words[2 * 2'500'000] = char(50); // far behind what the first steps read
  words[2 * 2'900'000] = char(51);
  const std::string one = folder.write("one.bin", words);
  words[2 * 12] = char(50);
  const std::string two = folder.write("two.bin", words);
  EXPECT_EQ(read(good, 50, 1), "1 2 3 4 5");
  const std::string said = read(good + "," + one + "," + two, 50); // in all files at once
  EXPECT_TRUE(says(said, "one.bin: token 50 at position 2500000 lies outside the model's vocabulary of 50",
                   "give data of the model's own tokenizer"));
  EXPECT_TRUE(says(said, "two.bin: token 50 at position 12 lies outside"));
  EXPECT_EQ(said.find("good.bin:"), std::string::npos) << said;
  auto unchecked = openTokens(one, tokensManifest(50), {.checksTokens = false});
  EXPECT_TRUE(bool(unchecked));
  EXPECT_TRUE(says(read("npy:" + folder.write("wide.npy", npy("<u8", "(5,)", longs({1, 2, -1, 3, 4})))),
                   "token -1 at position 2"));
}

TEST(DataKinds, AreATable) {
  for (const DataKind &kind : dataKinds()) {
    EXPECT_EQ(dataKindNamed(kind.name), &kind);
    EXPECT_FALSE(kind.help.empty());
  }
  EXPECT_EQ(dataKindNamed("parquet"), nullptr);
}

} // namespace
} // namespace autotp
