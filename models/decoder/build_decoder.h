/// \file The nodes of a decoder with its loss, in standard operators of opset 23.
#pragma once

#include "models/decoder/decoder_config.h"

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

namespace autotp {

enum class InitialValue : uint8_t { Drawn, One, Zero };

/// One trainable initializer, with the name and the shape that Hugging Face gives it: projections and lm_head are [out, in].
struct DecoderParameter {
  std::string name;
  std::vector<int64_t> shape;
  int initializer; ///< its index in the graph
  InitialValue initial;

  int64_t elements() const;
};

struct DecoderModel {
  onnx::ModelProto proto;                   ///< its parameters have shapes, and no contents yet
  std::vector<DecoderParameter> parameters; ///< in the order of use
};

/// Inputs input_ids and labels: i64 [batch, seq]; a label of -100 is not counted. Output loss: f32, the mean over
/// counted labels of -log p(labels[i + 1] | input_ids[..i]), in nats: the labels are shifted inside, as Hugging Face
/// does. `seq` is from 2. No constant of the graph grows faster than seq.
DecoderModel buildDecoder(const DecoderConfig &config, int64_t batch, int64_t seq);

} // namespace autotp
