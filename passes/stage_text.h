/// \file What a pass left, as text: for --print-after, --dump-dir and autotp-opt.
#pragma once

#include "passes/pass.h"

namespace autotp {

struct StageText {
  std::string part; ///< "tp rank 1", or "tp rank 1, micro_step"; empty: of the whole model
  std::string text;
};

/// The global graph; after find-axes with the axes of each dimension, after place-reductions with what lies on tp and what
/// is Partial; of each tp rank its graphs, with addresses once they are planned, or its program's steps.
std::vector<StageText> stageTexts(const Pass &pass, const PassState &state);

} // namespace autotp
