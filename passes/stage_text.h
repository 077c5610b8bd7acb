/// \file What a pass left, as text for --print-after, --dump-dir and autotp-opt.
#pragma once

#include <string>
#include <vector>

namespace autotp {

struct Pass;
struct PassState;

struct StageText {
  std::string part; ///< such as "tp rank 1" or "tp rank 1, micro_step"; empty for the whole model
  std::string text;
};

/// The global graph, with the axes of each dimension after find-axes, and with placements after place-reductions; or
/// lines of what was found, after classify-parameters, input-roles and choose-axes; or for each tp rank its graphs, with
/// addresses after plan-memory, or the steps of its program.
std::vector<StageText> stageTexts(const Pass &pass, const PassState &state);

} // namespace autotp
