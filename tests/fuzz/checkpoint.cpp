// manifest.json of a checkpoint, whose list of files is made right.
#include "runtime/base/digest.h"
#include "runtime/base/folder_listing.h"
#include "runtime/checkpoint/checkpoint_reader.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace autotp;
  const llvm::StringRef manifest = test::textOf(data, size);
  const std::string weights(2048, '\0'), header = R"({"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})";
  const std::string file = std::string{char(header.size()), 0, 0, 0, 0, 0, 0, 0} + header + weights.substr(0, 16);
  std::map<std::string, std::string> digests = {{"manifest.json", digestOf(manifest)}};
  for (const char *name : {"scalars.safetensors", "weights.safetensors"}) {
    test::fuzzFile(name, file);
    digests[name] = digestOf(file);
  }
  test::fuzzFile(kListingName, listingText(digests));
  const std::string path = test::fuzzFile("manifest.json", manifest);
  auto reader = CheckpointReader::open(std::filesystem::path(path).parent_path().string());
  if (reader)
    for (const Checkpoint::Tensor &tensor : (*reader)->facts().tensors)
      test::answered((*reader)->readWhole(tensor));
  test::answered(std::move(reader));
  return 0;
}
