// Data that does not fit a plan: named before the first step.
#include "tests/faults/command.h"

namespace autotp::test {
namespace {

std::string npy(const std::string &descr, const std::string &shape, const std::string &data) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  return "\x93NUMPY" + std::string("\x01\x00", 2) + little(header.size(), 2) + header + data;
}

/// A zip of stored files; `claimed` overrules the size that the directory states.
std::string npz(const std::vector<std::pair<std::string, std::string>> &arrays, uint64_t claimed = 0) {
  std::string all, directory;
  for (const auto &[name, bytes] : arrays) {
    uint64_t size = claimed ? claimed : bytes.size();
    std::string sizes =
        little(crcOf(bytes), 4) + little(bytes.size(), 4) + little(size, 4) + little(name.size(), 2) + little(0, 2);
    directory += "PK\x01\x02" + little(20, 2) + little(20, 2) + little(0, 2) + little(claimed ? 8 : 0, 2) +
                 little(0, 4) + sizes + little(0, 10) + little(all.size(), 4) + name;
    all += "PK\x03\x04" + little(20, 2) + little(0, 8) + sizes + name + bytes;
  }
  return all + directory + "PK\x05\x06" + little(0, 4) + little(arrays.size(), 2) + little(arrays.size(), 2) +
         little(directory.size(), 4) + little(all.size(), 4) + little(0, 2);
}

std::string longs(size_t count, int64_t value) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i)
    bytes += little(uint64_t(value), 8);
  return bytes;
}

class Data : public Commands {
protected:
  void SetUp() override { succeeds("autotp-compile @/llama/model.onnx --tp 2 --micro-batch 2 -o {}/plan"); }
  void refusesFeed(const std::string &bytes, const std::string &culprit, int steps = 1) {
    folder.write("f.npz", bytes);
    fails(1, "autotp-run {}/plan --feed {}/f.npz --log {}/log --steps " + std::to_string(steps), culprit);
  }
  static std::string feed(const std::string &ids, const std::string &labels) {
    return npz({{"input_ids.npy", ids}, {"labels.npy", labels}});
  }
  const std::string good = npy("<i8", "(2, 32)", longs(64, 1));
};

TEST_F(Data, AFeedThatFits) {
  folder.write("f.npz", feed(good, good));
  succeeds("autotp-run {}/plan --steps 1 --feed {}/f.npz");
}

TEST_F(Data, FeedsThatDoNotFit) {
  refusesFeed(npz({{"labels.npy", good}}), "input 'input_ids': the feed holds no array of this name");
  refusesFeed(feed(npy("<i8", "(2, 32)", longs(64, 999999)), good), "input 'input_ids': element 0 is 999999");
  refusesFeed(feed(npy("<i8", "(2, 32)", longs(64, -257)), good),
              "input 'input_ids': element 0 is -257, outside [-256, 256)");
  refusesFeed(feed(npy("<i8", "(2, 16)", longs(32, 1)), good), "input 'input_ids'");
  refusesFeed(feed(npy("<i8", "(3, 32)", longs(96, 1)), good), "no whole number of global batches");
  refusesFeed(feed(npy("<i8", "(0, 32)", ""), good), "input 'input_ids'");
  refusesFeed(feed(npy("<c8", "(2, 32)", longs(64, 1)), good), "its element type is not");
  refusesFeed(feed(npy(">i8", "(2, 32)", longs(64, 1)), good), "its element type is not");
  refusesFeed(feed(good, good), "2 rows are enough for 1 steps, not 5", 5);
  refusesFeed("", "f.npz: it is no .npz file");
  fails(1, "autotp-run {}/plan --feed {}/none.npz", "none.npz: it cannot be read");
}

TEST_F(Data, FeedsThatLie) {
  const std::string whole = feed(good, good);
  for (size_t size = 0; size < whole.size(); size += whole.size() / 9)
    refusesFeed(whole.substr(0, size), "f.npz");
  refusesFeed(feed(npy("<i8", "(9999999, 32)", longs(64, 1)), good), "'input_ids'");
  refusesFeed(feed(npy("<i8", "(4611686018427387904, 4)", longs(64, 1)), good), "'input_ids'");
  refusesFeed(feed(npy("<i8", "(-2, 32)", longs(64, 1)), good), "'input_ids'");
  refusesFeed(feed("no array", good), "'input_ids'");
  refusesFeed(npz({{"input_ids.npy", good}}, 0xfffffff0), "'input_ids.npy' is damaged"); // a bomb's size
}

TEST_F(Data, TokenFiles) {
  const std::string command = "autotp-run {}/plan --steps 1 --log {}/log --data ";
  fails(1, command + "{}/none.txt", "none.txt: it cannot be read");
  folder.write("empty.txt", "");
  fails(1, command + "{}/empty.txt", "empty.txt");
  folder.write("odd.bin", std::string(999, 'x'));
  fails(1, command + "{}/odd.bin", "odd.bin: its size is odd");
  folder.write("short.bin", std::string(64, '\0'));
  fails(1, command + "{}/short.bin", "short.bin: its 32 tokens are fewer");
  fails(1, command + "synthetic:x", "'synthetic:x' is no source");
  folder.write("a.csv", "1,2,3");
  fails(1, command + "{}/a.csv", "a.csv: its name does not tell what it is");
  folder.write("a.npy", npy("<u2", "(50,)", std::string(98, '\0') + little(256, 2)));
  fails(1, command + "{}/a.npy", "a.npy: token 256 at position 49 lies outside the model's vocabulary of 256");
  fails(1, command + "{}/a.npy:0.5,{}/a.npy", "only 1 of its 2 files have a weight");
  fails(1, command + "{}/b*.bin", "no file matches");
}

} // namespace
} // namespace autotp::test
