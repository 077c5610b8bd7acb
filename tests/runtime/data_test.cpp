/// \file Feeds and token sources: what they give, and the files they refuse.
#include "runtime/base/error.h"
#include "runtime/data/npz.h"
#include "runtime/data/source.h"
#include "tests/runtime/temporary_file.h"

#include <gtest/gtest.h>

#include <cstring>

namespace autotp {
namespace {

using test::little;
using test::TemporaryFolder;

std::string npy(const std::string &descr, const std::string &shape, const std::string &data,
                const std::string &order = "False") {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
  return "\x93NUMPY" + std::string("\x01\x00", 2) + little(header.size(), 2) + header + data;
}

/// A zip of one stored file, as numpy.savez writes it.
std::string npz(const std::string &name, const std::string &bytes) {
  std::string sizes = little(0, 4) + little(bytes.size(), 4) + little(bytes.size(), 4) + little(name.size(), 2) +
                      little(0, 2); // crc, sizes, names
  std::string local = "PK\x03\x04" + little(20, 2) + little(0, 8) + sizes + name + bytes;
  std::string directory = "PK\x01\x02" + little(20, 2) + little(20, 2) + little(0, 8) + sizes + little(0, 2) +
                          little(0, 2) + little(0, 2) + little(0, 4) + little(0, 4) + name;
  return local + directory + "PK\x05\x06" + little(0, 4) + little(1, 2) + little(1, 2) + little(directory.size(), 4) +
         little(local.size(), 4) + little(0, 2);
}

std::string longs(std::vector<int64_t> values) {
  std::string bytes;
  for (int64_t v : values)
    bytes += little(uint64_t(v), 8);
  return bytes;
}

TEST(Npz, ReadsAndRefuses) {
  TemporaryFolder folder;
  std::string good = npz("ids.npy", npy("<i8", "(2, 3)", longs({0, 1, 2, 3, 4, 5})));
  auto arrays = readNpz(folder.write("a.npz", good));
  ASSERT_TRUE(bool(arrays)) << describe(arrays.takeError());
  ASSERT_EQ(arrays->size(), 1u);
  EXPECT_EQ((*arrays)[0].name, "ids");
  EXPECT_EQ((*arrays)[0].dtype, DType::I64);
  EXPECT_EQ((*arrays)[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(std::to_integer<int>((*arrays)[0].data[40]), 5);
  auto refuses = [&](const std::string &bytes, const char *what) {
    auto read = readNpz(folder.write("bad.npz", bytes));
    EXPECT_FALSE(bool(read)) << what;
    if (!read) llvm::consumeError(read.takeError());
  };
  for (size_t size = 0; size < good.size(); size += 7)
    refuses(good.substr(0, size), "truncated");
  refuses(npz("a.npy", "not an array"), "no array");
  refuses(npz("a.npy", npy(">i8", "(1,)", longs({1}))), "big-endian");
  refuses(npz("a.npy", npy("<i8", "(1,)", longs({1}), "True")), "Fortran");
  refuses(npz("a.npy", npy("<i8", "(2,)", longs({1}))), "too short");
  refuses(npz("a.npy", npy("<i8", "(-1,)", longs({1}))), "negative");
  refuses(npz("a.npy", npy("<i8", "(4611686018427387904, 4)", longs({1}))), "overflow");
  for (size_t i = 0; i < good.size(); ++i) { // no byte may lead outside
    std::string bad = good;
    bad[i] = char(0xff);
    auto read = readNpz(folder.write("bad.npz", bad));
    if (!read) llvm::consumeError(read.takeError());
  }
}

Manifest tokensManifest(int64_t limit, const std::string &label = "next-labels") {
  Manifest m;
  m.microBatch = 2;
  m.inputs = {{"ids", "i64", "tokens", {2, 4}, true, limit, {}}, {"labels", "i64", label, {2, 4}, true, limit, {}}};
  return m;
}

std::vector<int64_t> rowOf(const Source &source, int64_t row, size_t input, int64_t length = 4) {
  std::vector<int64_t> values(static_cast<size_t>(length), -1);
  llvm::Error error = source.fill(row, input, std::as_writable_bytes(std::span(values)));
  EXPECT_FALSE(bool(error)) << describe(std::move(error));
  return values;
}

TEST(Feed, RowsAndRefusals) {
  TemporaryFolder folder;
  Manifest m = tokensManifest(10);
  m.inputs.pop_back();
  auto open = [&](const std::string &shape, std::vector<int64_t> values, int64_t steps, const char *name = "ids.npy") {
    return openFeed(folder.write("f.npz", npz(name, npy("<i8", shape, longs(values)))), m,
                    {steps * m.microBatch * m.gradAccum * m.dp, steps});
  };
  auto feed = open("(2, 4)", {0, 1, 2, 3, 9, 8, 7, 6}, 1);
  ASSERT_TRUE(bool(feed)) << describe(feed.takeError());
  EXPECT_EQ(rowOf(**feed, 1, 0), (std::vector<int64_t>{9, 8, 7, 6}));
  auto refuses = [](llvm::Expected<std::unique_ptr<Source>> source, const char *what) {
    EXPECT_FALSE(bool(source)) << what;
    if (!source) llvm::consumeError(source.takeError());
  };
  refuses(open("(2, 4)", {0, 1, 2, 3, 9, 8, 7, 6}, 2), "steps");
  refuses(open("(2, 4)", {0, 1, 2, 3, 10, 8, 7, 6}, 1), "limit");
  refuses(open("(2, 4)", {0, 1, 2, 3, -11, 8, 7, 6}, 1), "a token before the first from the end");
  refuses(open("(4, 2)", {0, 1, 2, 3, 1, 8, 7, 6}, 1), "shape");
  refuses(open("(1, 4)", {0, 1, 2, 3}, 1), "no whole batch");
  refuses(open("(2, 4)", {0, 1, 2, 3, 9, 8, 7, 6}, 1, "other.npy"), "name");
}

/// What all samples share: once for all steps, or once for each.
TEST(Feed, InputsWithoutABatch) {
  TemporaryFolder folder;
  Manifest m;
  m.microBatch = 2;
  auto open = [&](std::vector<int64_t> own, const std::string &shape, std::vector<int64_t> values) {
    m.inputs = {{"p", "i64", "positions", own, false, 0, {}}};
    return openFeed(folder.write("f.npz", npz("p.npy", npy("<i8", shape, longs(values)))), m,
                    {2 * m.microBatch * m.gradAccum * m.dp, 2});
  };
  using Row = std::vector<int64_t>;
  for (auto [own, shape, values, first, second] : std::vector<std::tuple<Row, std::string, Row, Row, Row>>{
           {{1, 3}, "(1, 3)", {1, 2, 3}, {1, 2, 3}, {1, 2, 3}},
           {{1, 3}, "(2, 3)", {1, 2, 3, 4, 5, 6}, {1, 2, 3}, {4, 5, 6}},
           {{2, 2}, "(2, 2)", {1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3, 4}},
           {{2, 2}, "(4, 2)", {1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 3, 4}, {5, 6, 7, 8}},
           {{3}, "(3,)", {1, 2, 3}, {1, 2, 3}, {1, 2, 3}},
           {{}, "()", {7}, {7}, {7}},
           {{}, "(3,)", {7, 8, 9}, {7}, {8}}}) {
    auto feed = open(own, shape, values);
    ASSERT_TRUE(bool(feed)) << describe(feed.takeError());
    EXPECT_EQ(rowOf(**feed, 0, 0, int64_t(first.size())), first) << shape;
    EXPECT_EQ(rowOf(**feed, 1, 0, int64_t(first.size())), second) << shape;
  }
  for (auto [own, shape, values] : std::vector<std::tuple<Row, std::string, Row>>{
           {{2, 2}, "(3, 2)", {1, 2, 3, 4, 5, 6}}, {{1, 3}, "(3,)", {1, 2, 3}}, {{}, "(1, 1)", {1}}}) {
    auto feed = open(own, shape, values);
    EXPECT_FALSE(bool(feed)) << shape;
    if (!feed) llvm::consumeError(feed.takeError());
  }
  m.inputs = {{"p", "i64", "positions", {1, 3}, false, 0, {}}};
  auto tokens = openTokens("synthetic:1", m);
  ASSERT_TRUE(bool(tokens));
  EXPECT_EQ(rowOf(**tokens, 5, 0, 3), (Row{0, 1, 2}));
}

/// Columns that look up tables of different sizes.
TEST(Feed, BoundsOfParts) {
  TemporaryFolder folder;
  Manifest m;
  m.microBatch = 1;
  m.inputs = {{"x", "i64", "data", {1, 3}, true, 5, {{"users", 10, {0}}, {"items", 99, {1, 2}}, {"kinds", 5, {2}}}}};
  auto said = [&](std::vector<int64_t> values) -> std::string {
    auto feed = openFeed(folder.write("f.npz", npz("x.npy", npy("<i8", "(2, 3)", longs(values)))), m,
                         {2 * m.microBatch * m.gradAccum * m.dp, 2});
    return feed ? "" : describe(feed.takeError());
  };
  EXPECT_EQ(said({9, 98, 4, 0, 50, 0}), "");
  EXPECT_NE(said({9, 98, 4, 10, 50, 0}).find("element 3 is 10, outside [0, 10) of 'users'"), std::string::npos);
  EXPECT_NE(said({9, 98, 4, 9, 99, 0}).find("element 4 is 99, outside [0, 99) of 'items'"), std::string::npos);
  EXPECT_NE(said({9, 98, 5, 9, 9, 0}).find("element 2 is 5, outside [0, 5) of 'kinds'"), std::string::npos);
}

/// Rows that do not count, such as the edges of objects in an image.
TEST(Feed, LabelsThatTheLossIgnores) {
  TemporaryFolder folder;
  Manifest m;
  m.microBatch = 1;
  m.inputs = {{"y", "i64", "labels", {1, 3}, true, 5, {}, {255}}};
  auto said = [&](std::vector<int64_t> values) -> std::string {
    auto feed = openFeed(folder.write("f.npz", npz("y.npy", npy("<i8", "(2, 3)", longs(values)))), m,
                         {2 * m.microBatch * m.gradAccum * m.dp, 2});
    return feed ? "" : describe(feed.takeError());
  };
  EXPECT_EQ(said({0, 255, 4, 255, 255, -100}), "");
  EXPECT_NE(said({0, 255, 4, 5, 255, 0}).find("element 3 is 5, outside [0, 5)"), std::string::npos);
  EXPECT_NE(said({0, 254, 4, 0, 255, 0}).find("element 1 is 254, outside [0, 5)"), std::string::npos);
  auto tokens = openTokens(folder.write("t.txt", "\xff\xff\xff\xff\xff"), m);
  ASSERT_TRUE(bool(tokens)) << describe(tokens.takeError());
  EXPECT_EQ(rowOf(**tokens, 0, 0, 3), (std::vector<int64_t>{255, 255, 255}));
}

TEST(Tokens, Synthetic) {
  Manifest m = tokensManifest(50);
  auto one = openTokens("synthetic:3", m), again = openTokens("synthetic:3", m), other = openTokens("synthetic:4", m),
       bad = openTokens("synthetic:x", m);
  ASSERT_TRUE(one && again && other);
  EXPECT_FALSE(bool(bad));
  llvm::consumeError(bad.takeError());
  bool differs = false;
  for (int64_t row = 0; row < 20; ++row) {
    std::vector<int64_t> ids = rowOf(**one, row, 0), labels = rowOf(**one, row, 1);
    EXPECT_EQ(ids, rowOf(**again, row, 0));
    differs |= ids != rowOf(**other, row, 0);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_TRUE(ids[i] >= 0 && ids[i] < 50);
      if (i > 0) EXPECT_EQ(ids[i], labels[i - 1]);
    }
  }
  EXPECT_TRUE(differs);
}

TEST(Tokens, FilesAndTheirErrors) {
  TemporaryFolder folder;
  auto text = openTokens(folder.write("t.txt", "abcdefghijklmnopqrstuvwxyz"), tokensManifest(256));
  ASSERT_TRUE(bool(text)) << describe(text.takeError());
  std::string words;
  for (int i = 0; i < 40; ++i)
    words += little(uint64_t(1000 + i), 2);
  auto binary = openTokens(folder.write("t.bin", words), tokensManifest(2000));
  ASSERT_TRUE(bool(binary)) << describe(binary.takeError());
  for (Source *source : {text->get(), binary->get()})
    for (int64_t row = 0; row < 50; ++row) {
      std::vector<int64_t> ids = rowOf(*source, row, 0), labels = rowOf(*source, row, 1);
      for (size_t i = 0; i < 4; ++i)
        EXPECT_EQ(labels[i], ids[0] + int64_t(i) + 1); // the window goes on, within the file
    }
  auto small = openTokens(folder.write("u.bin", words), tokensManifest(900));
  ASSERT_TRUE(bool(small));
  std::vector<int64_t> to(4);
  llvm::Error out = (*small)->fill(0, 0, std::as_writable_bytes(std::span(to)));
  EXPECT_TRUE(bool(out));
  llvm::consumeError(std::move(out));
  for (auto [name, bytes] : {std::pair("odd.bin", "abc"), {"short.txt", "abcd"}, {"empty.txt", ""}}) {
    auto refused = openTokens(folder.write(name, bytes), tokensManifest(256));
    EXPECT_FALSE(bool(refused)) << name;
    if (!refused) llvm::consumeError(refused.takeError());
  }
  auto missing = openTokens(folder.path() + "/none", tokensManifest(256));
  EXPECT_FALSE(bool(missing));
  llvm::consumeError(missing.takeError());
}

} // namespace
} // namespace autotp
