/// \file A checkpoint: a folder "step-N" with all that training needs to go on, on any mesh.
///
///   manifest.json                what this file describes
///   scalars.safetensors          states of the program that are no parameter's: the loss scale, those of a schedule
///   KIND-RRRRR.safetensors       what rank R wrote of a kind ("weights", or an optimizer state such as "exp_avg"): f32, a
///                                tensor for each slice, under the name of its parameter
///   files.xxh128                 digests of all of these (runtime/base/folder_listing.h), written last
///
/// It gets its name once it is whole, so a folder of that name is a whole one, unless somebody has changed it.
#pragma once

#include "runtime/checkpoint/saved_slices.h"
#include "runtime/plan/lr_schedule.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <map>

namespace autotp {

constexpr int64_t kCheckpointFormatVersion = 1;
constexpr llvm::StringLiteral kCheckpointManifest = "manifest.json", kScalarsFile = "scalars.safetensors";

struct Checkpoint {
  /// Some elements of a kind of a parameter, one after the other in a tensor of that parameter's name.
  struct Slice {
    std::string file;
    /// Elements [begin, end) of what the covers select, in row-major order.
    int64_t begin = 0, end = 0;
    std::vector<std::vector<int64_t>> covers; ///< of each dimension begin, end, begin, ..; empty: all
  };
  /// Another initializer of the model that was tied to a parameter.
  struct Alias {
    std::string name;
    bool isTransposed = false;
  };
  struct Tensor {
    std::string parameter, kind;
    std::vector<int64_t> shape; ///< of the whole parameter
    std::vector<Slice> slices;
    std::vector<Alias> aliases = {}; ///< of the parameter, with its weights
  };

  int64_t step = 0;         ///< training steps that were done
  int64_t skippedSteps = 0; ///< those of them that fp16 skipped, which the schedule of the learning rate does not count
  int64_t rows = 0;         ///< samples that were seen, over all ranks: the next one's number
  int64_t seed = 0;         ///< of dropout
  std::string data;         ///< where samples came from, as it was named
  llvm::json::Object run;   ///< for people: the mesh, the dtype, the learning rate
  std::vector<Tensor> tensors;
  std::map<std::string, std::string> digests = {}; ///< of its files, by name; of one that was read
};

/// Folders that have a checkpoint's name, and what is wrong with each.
using DamagedCheckpoints = std::map<std::string, std::string>;

/// The name of the file into which a rank writes a kind.
std::string fileOfSlices(llvm::StringRef kind, int rank);

/// The tensors of a checkpoint that these slices make.
std::vector<Checkpoint::Tensor> tensorsOf(llvm::ArrayRef<SavedSlice> slices);

std::string checkpointText(const Checkpoint &checkpoint);
/// Errors: it is no whole checkpoint; its list of files, which is read first, leaves out one that it names.
llvm::Expected<Checkpoint> readCheckpointFacts(llvm::StringRef folder);

} // namespace autotp
