/// \file plan/manifest.json: what a plan is, for people and for autotp-run. The compiler writes it, the runtime reads
/// it.
#pragma once

#include "runtime/plan/lr_schedule.h"
#include "runtime/plan/referenced_files.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

namespace autotp {

constexpr int64_t kPlanFormatVersion = 9;

struct Manifest {
  /// What elements of an input index: the rows of a table, the classes of a loss.
  struct Bound {
    std::string of;
    int64_t limit = 0;
    std::vector<int64_t> places; ///< elements of a sample; empty: all
  };
  struct Input {
    std::string name, dtype, role;
    std::vector<int64_t> shape; ///< of one micro-step of one dp rank
    bool isBatched = true;      ///< its first dimension is the micro-batch; else all samples of a step share it
    int64_t limit = 0;          ///< exclusive upper bound of integer values; 0: none; of several bounds the smallest
    std::vector<Bound> bounds;  ///< where parts of it have bounds of their own
    std::vector<int64_t> ignored = {}; ///< legal beside those below the limit: labels that a loss leaves out

    /// Of one row of the batch; of all of it where it has none.
    int64_t elementsOfSample() const {
      int64_t elements = 1;
      for (size_t d = isBatched && !shape.empty() ? 1 : 0; d < shape.size(); ++d)
        elements *= shape[d];
      return elements;
    }
    bool ignores(double value) const {
      return std::any_of(ignored.begin(), ignored.end(), [&](int64_t label) { return double(label) == value; });
    }
  };
  struct File {
    std::string path, digest; ///< its path within the plan's folder
  };
  struct Rank {
    int64_t program = 0, tp = 0, dp = 0;
  };

  int64_t tp = 1, dp = 1, zero = 0, microBatch = 1, gradAccum = 1;
  std::string device = "cpu", lossKind, weightsKind; ///< "cross_entropy_sum" or "mean"; "copy", "reference" or "none"
  int64_t weightsSeed = 0;
  double modelFlops = 0; ///< of a step on all ranks, forward and backward; what is computed again is not counted
  LrSchedule lr;         ///< without its runSteps
  std::vector<Input> inputs;
  std::vector<File> programs, weights; ///< weights by tp rank
  ReferencedFiles referenced;          ///< for the kind "reference"
  std::vector<Rank> ranks;
  llvm::json::Object source; ///< the model and the options that decide its graph: what verifying the plan begins with
  llvm::json::Object report; ///< for people: model, options, parameters, axes, collectives, memory
};

/// A member that is one number or text, of the manifest or of its schedule.
using ManifestMember =
    std::variant<int64_t Manifest::*, double Manifest::*, std::string Manifest::*, LrKind LrSchedule::*,
                 WarmupShape LrSchedule::*, bool LrSchedule::*, int64_t LrSchedule::*, double LrSchedule::*>;
template <typename T> T &memberOf(Manifest &manifest, T Manifest::*member) { return manifest.*member; }
template <typename T> T &memberOf(Manifest &manifest, T LrSchedule::*member) { return manifest.lr.*member; }
template <typename T> const T &memberOf(const Manifest &manifest, T Manifest::*member) { return manifest.*member; }
template <typename T> const T &memberOf(const Manifest &manifest, T LrSchedule::*member) { return manifest.lr.*member; }
/// Its key in the file.
llvm::StringRef keyOf(ManifestMember member);

/// Fixed key order, two spaces of indent: byte-identical for the same plan. Its last key is "digest", the digest of the
/// text with zeros in that place, so that every change shows.
std::string manifestText(const Manifest &manifest);
/// The text with the digest that it must have, for who changes one on purpose.
std::string withDigest(std::string text);
/// Errors: the file is not as it was written. Else they name the key that is missing or of a wrong type, and what does not fit together.
llvm::Expected<Manifest> readManifest(llvm::StringRef planFolder);

} // namespace autotp
