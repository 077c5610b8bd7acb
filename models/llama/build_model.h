/// \file The nodes of a Llama with its loss, in standard operators of opset 20.
#pragma once

#include "models/llama/config.h"

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

namespace autotp {

/// One trainable initializer, with the name and the shape that Hugging Face gives it: projections and lm_head are [out, in].
struct LlamaParameter {
  std::string name;
  std::vector<int64_t> shape;
  int initializer; ///< its index in the graph
  bool isNorm;     ///< starts as ones

  int64_t elements() const;
};

struct LlamaModel {
  onnx::ModelProto proto;                 ///< its parameters have shapes, and no contents yet
  std::vector<LlamaParameter> parameters; ///< in the order of use
};

constexpr int64_t kLongestSequence = 8192; ///< the causal mask is a constant of seq x seq floats

/// Inputs input_ids and labels: i64 [batch, seq]; a label of -100 is not counted. Output loss: f32, the mean over
/// counted labels of -log p(labels[i + 1] | input_ids[..i]), in nats: the labels are shifted inside, as Hugging Face
/// does. `seq` is from 2 to kLongestSequence.
LlamaModel buildLlama(const LlamaConfig &config, int64_t batch, int64_t seq);

} // namespace autotp
