/// \file Feeds: the rows that they give, and those that are refused.
#include "tests/runtime/data_files.h"

namespace autotp {
namespace {

using namespace test;

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
}

/// Rows of several files follow one another, and lie in files of their own order.
TEST(Feed, SeveralFiles) {
  TemporaryFolder folder;
  Manifest m = tokensManifest(10);
  m.inputs.pop_back();
  auto rows = [&](const char *name, const std::string &shape, std::vector<int64_t> values) {
    return folder.write(name, npz("ids.npy", npy("<i8", shape, longs(values))));
  };
  const std::string one = rows("a.npz", "(1, 4)", {0, 1, 2, 3}),
                    three = rows("b.npz", "(3, 4)", {4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5});
  const WantedRows wanted{4, 2};
  for (const std::string &spec : {folder.path(), folder.path() + "/", one + "," + three, folder.path() + "/?.npz"}) {
    auto feed = openFeed(spec, m, wanted);
    ASSERT_TRUE(bool(feed)) << spec << describe(feed.takeError());
    EXPECT_EQ(rowOf(**feed, 0, 0), (std::vector<int64_t>{0, 1, 2, 3}));
    EXPECT_EQ(rowOf(**feed, 1, 0), (std::vector<int64_t>{4, 5, 6, 7}));
    EXPECT_EQ(rowOf(**feed, 3, 0), (std::vector<int64_t>{2, 3, 4, 5}));
    EXPECT_EQ((*feed)->files(), (std::vector<std::string>{one, three}));
  }
  EXPECT_NE(saidOf(openFeed(folder.path(), m, {6, 3})).find("4 rows are enough for 2 steps, not 3"), std::string::npos);
  EXPECT_NE(saidOf(openFeed(folder.path() + "/*.zip", m, wanted)).find("no file matches"), std::string::npos);
  rows("c.npz", "(1, 2)", {1, 2});
  rows("d.npz", "(1, 2)", {1, 2});
  const std::string said = saidOf(openFeed(folder.path(), m, wanted)); // both are named
  EXPECT_NE(said.find("c.npz: input 'ids': its samples are of another shape"), std::string::npos) << said;
  EXPECT_NE(said.find("d.npz: input 'ids': its samples are of another shape"), std::string::npos) << said;
}

TEST(Feed, EveryElementType) {
  TemporaryFolder folder;
  Manifest m;
  m.microBatch = 1;
  auto open = [&](const char *dtype, const char *descr, const std::string &data) {
    m.inputs = {{"x", dtype, "data", {1, 2}, true, 0, {}}};
    return openFeed(folder.write("f.npz", npz("x.npy", npy(descr, "(1, 2)", data))), m, {1, 1});
  };
  for (auto [descr, bytes] :
       {std::pair("<i8", 8), {"<i4", 4}, {"<i2", 2}, {"|i1", 1}, {"<u8", 8}, {"<u4", 4}, {"<u2", 2}, {"|u1", 1}}) {
    const std::string data = little(3, bytes) + little(100, bytes);
    auto whole = open("i64", descr, data), real = open("f32", descr, data);
    ASSERT_TRUE(whole && real) << descr;
    EXPECT_EQ(rowOf(**whole, 0, 0, 2), (std::vector<int64_t>{3, 100})) << descr;
    float values[2];
    EXPECT_FALSE(bool((*real)->fill(0, 0, std::as_writable_bytes(std::span(values)))));
    EXPECT_EQ(values[1], 100) << descr;
  }
  auto negative = open("i64", "<i2", little(0xffff, 2) + little(5, 2));
  ASSERT_TRUE(bool(negative));
  EXPECT_EQ(rowOf(**negative, 0, 0, 2), (std::vector<int64_t>{-1, 5}));
  auto half = open("i64", "<f2", little(0x4200, 2) + little(0xc000, 2)); // 3 and -2
  ASSERT_TRUE(bool(half));
  EXPECT_EQ(rowOf(**half, 0, 0, 2), (std::vector<int64_t>{3, -2}));
  EXPECT_NE(saidOf(open("i64", "<f2", little(0x4200, 2) + little(0x3800, 2)))
                .find("element 1 is 0.5, but the plan's are whole numbers"),
            std::string::npos);
  EXPECT_NE(saidOf(open("i64", "<f2", little(0x7e00, 2) + little(0, 2))).find("element 0 is"),
            std::string::npos); // NaN
  EXPECT_NE(saidOf(open("i32", "<i8", longs({1, int64_t(1) << 31})))
                .find("element 1 is 2147483648, which does not fit into i32"),
            std::string::npos);
}

} // namespace
} // namespace autotp
