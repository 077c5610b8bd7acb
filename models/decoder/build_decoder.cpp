#include "models/decoder/build_decoder.h"

#include "compiler/ir/tensor.h"
#include "models/decoder/graph_writer.h"
#include "models/decoder/rotary_tables.h"

#include <limits>

namespace autotp {
namespace {

class DecoderBuilder {
public:
  DecoderBuilder(const DecoderConfig &config, int64_t batch, int64_t seq, DecoderModel &model)
      : c_(config), batch_(batch), seq_(seq), model_(model), g_(*model.proto.mutable_graph()) {}

  void build() {
    g_.input("input_ids", {batch_, seq_});
    g_.input("labels", {batch_, seq_});
    addRotaryTables();
    const std::string embedding = parameter("model.embed_tokens.weight", {c_.vocab, c_.hidden}, InitialValue::Drawn);
    std::string x = g_.node("Gather", "embedded", {embedding, "input_ids"});
    if (c_.embeddingScale != 1) x = g_.node("Mul", "embedded.scaled", {x, g_.number(float(c_.embeddingScale))});
    for (int64_t layer = 0; layer < c_.layers; ++layer)
      x = block(x, "model.layers." + std::to_string(layer) + ".", c_.windows[size_t(layer)]);
    x = norm(x, "model.norm", c_.hidden);
    const std::string head =
        c_.isTied ? embedding : parameter("lm_head.weight", {c_.vocab, c_.hidden}, InitialValue::Drawn);
    loss(capped(product(x, head, "logits", "lm_head"), "logits", c_.logitCap));
  }

private:
  std::string parameter(std::string name, std::vector<int64_t> shape, InitialValue initial) {
    int index = g_.declare(name, shape);
    model_.parameters.push_back({name, std::move(shape), index, initial});
    return name;
  }

  void addRotaryTables() {
    RotaryTables tables = rotaryTables(c_.rotary, seq_);
    g_.table("rotary.cos", {1, seq_, 1, c_.rotary.features()}, tables.cos);
    g_.table("rotary.sin", {1, seq_, 1, c_.rotary.features()}, tables.sin);
  }

  /// x / sqrt(mean(x^2) + epsilon) * weight, over the last dimension.
  std::string norm(const std::string &x, const std::string &p, int64_t features) {
    std::string weight = parameter(p + ".weight", {features}, c_.normsAddOne ? InitialValue::Zero : InitialValue::One);
    if (c_.normsAddOne) weight = g_.node("Add", p + ".scale", {weight, g_.number(1)});
    std::string square = g_.node("Pow", p + ".square", {x, g_.number(2)});
    std::string mean = g_.node("ReduceMean", p + ".mean", {square, g_.integers({-1})}, {intAttribute("keepdims", 1)});
    std::string shifted = g_.node("Add", p + ".shifted", {mean, g_.number(float(c_.normEpsilon))});
    std::string inverse = g_.node("Reciprocal", p + ".inverse", {g_.node("Sqrt", p + ".root", {shifted})});
    return g_.node("Mul", p + ".result", {weight, g_.node("Mul", p + ".scaled", {x, inverse})});
  }

  /// x @ transposed weight, with weight [out, in] as torch's Linear has it.
  std::string product(const std::string &x, const std::string &weight, const std::string &result,
                      const std::string &transposed) {
    return g_.node("MatMul", result, {x, g_.node("Transpose", transposed, {weight}, {intsAttribute("perm", {1, 0})})});
  }

  std::string linear(const std::string &x, const std::string &p, int64_t in, int64_t out, bool hasBias) {
    const std::string weight = parameter(p + ".weight", {out, in}, InitialValue::Drawn);
    if (!hasBias) return product(x, weight, p + ".result", p + ".transposed");
    const std::string bias = parameter(p + ".bias", {out}, InitialValue::Zero);
    return g_.node("Add", p + ".result", {product(x, weight, p + ".product", p + ".transposed"), bias});
  }

  std::string slice(const std::string &x, const std::string &result, int64_t axis, int64_t from, int64_t to) {
    return g_.node("Slice", result, {x, g_.integers({from}), g_.integers({to}), g_.integers({axis})});
  }

  /// cap * tanh(x / cap).
  std::string capped(const std::string &x, const std::string &p, double cap) {
    if (cap == 0) return x;
    const std::string number = g_.number(float(cap));
    std::string bounded = g_.node("Tanh", p + ".bounded", {g_.node("Div", p + ".divided", {x, number})});
    return g_.node("Mul", p + ".capped", {bounded, number});
  }

  /// x * cos + concat(-second half, first half) * sin, of the rotated features of [batch, seq, heads, features].
  std::string rotate(const std::string &all, const std::string &name) {
    const int64_t features = c_.rotary.features(), half = features / 2;
    const bool isPart = features < c_.headSize;
    std::string x = isPart ? slice(all, name + ".part", 3, 0, features) : all;
    std::string even = g_.node("Mul", name + ".cos", {x, "rotary.cos"});
    std::string negated = g_.node("Neg", name + ".negated", {slice(x, name + ".second", 3, half, features)});
    std::string turned = g_.node("Concat", name + ".turned", {negated, slice(x, name + ".first", 3, 0, half)},
                                 {intAttribute("axis", 3)});
    x = g_.node("Add", name + ".rotated", {even, g_.node("Mul", name + ".sin", {turned, "rotary.sin"})});
    if (!isPart) return x;
    return g_.node("Concat", name + ".whole", {x, slice(all, name + ".rest", 3, features, c_.headSize)},
                   {intAttribute("axis", 3)});
  }

  /// Queries or keys with their norm and their positions, as [batch, seq, heads * size].
  std::string positioned(const std::string &x, const std::string &p, int64_t heads) {
    std::string y = g_.node("Reshape", p + ".heads", {x, g_.integers({batch_, seq_, heads, c_.headSize})});
    if (c_.normsHeads) y = norm(y, p + "_norm", c_.headSize);
    return g_.node("Reshape", p + ".joined", {rotate(y, p), g_.integers({batch_, seq_, heads * c_.headSize})});
  }

  /// What is added to the scores, [1, 1, seq, seq]: -inf where query i does not see key j, which is where
  /// j <= i - window, and, if `isCausal`, where j > i. The graph computes it once for all layers.
  std::string mask(int64_t window, bool isCausal) {
    std::string name = "mask." + std::to_string(window) + (isCausal ? ".causal" : "");
    if (!g_.isNew(name)) return name;
    const std::string keys = g_.counting("positions", seq_);
    std::string queries = g_.node("Unsqueeze", name + ".queries", {keys, g_.integers({0, 1, 3})}), isHidden;
    if (isCausal) isHidden = g_.node("Greater", name + ".later", {keys, queries});
    if (window > 0) {
      std::string ends = g_.node("Add", name + ".ends", {keys, g_.number(float(window))});
      std::string isPast = g_.node("LessOrEqual", name + ".past", {ends, queries});
      isHidden = isCausal ? g_.node("Or", name + ".hidden", {isHidden, isPast}) : isPast;
    }
    return g_.node("Where", name, {isHidden, g_.number(-std::numeric_limits<float>::infinity()), g_.number(0)});
  }

  struct Heads {
    std::string q, k, v;
  };
  Heads project(const std::string &x, const std::string &p) {
    const int64_t queries = c_.heads * c_.headSize, keys = c_.kvHeads * c_.headSize, all = queries + 2 * keys;
    if (!c_.isFused)
      return {linear(x, p + "q_proj", c_.hidden, queries, c_.hasQkvBias),
              linear(x, p + "k_proj", c_.hidden, keys, c_.hasQkvBias),
              linear(x, p + "v_proj", c_.hidden, keys, c_.hasQkvBias)};
    const std::string fused = linear(x, p + "qkv_proj", c_.hidden, all, c_.hasQkvBias);
    return {slice(fused, p + "q.part_of_all", 2, 0, queries), slice(fused, p + "k.part_of_all", 2, queries, all - keys),
            slice(fused, p + "v.part_of_all", 2, all - keys, all)};
  }

  std::string attention(const std::string &x, const std::string &p, int64_t window) {
    Heads heads = project(x, p);
    heads.q = positioned(heads.q, p + "q", c_.heads);
    heads.k = positioned(heads.k, p + "k", c_.kvHeads);
    if (window >= seq_) window = 0;
    std::string mixed = c_.scoreCap == 0 ? plainAttention(heads, p, window) : cappedAttention(heads, p, window);
    return linear(mixed, p + "o_proj", c_.heads * c_.headSize, c_.hidden, c_.hasOutputBias);
  }

  std::string plainAttention(const Heads &heads, const std::string &p, int64_t window) {
    std::vector<std::string> operands = {heads.q, heads.k, heads.v};
    if (window > 0) operands.push_back(mask(window, /*isCausal=*/false));
    return g_.node("Attention", p + "mixed", operands,
                   {intAttribute("is_causal", 1), intAttribute("q_num_heads", c_.heads),
                    intAttribute("kv_num_heads", c_.kvHeads), floatAttribute("scale", float(c_.scoreScale))});
  }

  /// Written out: versions of ONNX have not agreed on whether the cap of their operator comes before the mask, as it
  /// must, and its definition looks for NaN among all scores.
  std::string cappedAttention(const Heads &heads, const std::string &p, int64_t window) {
    std::string q = toHeads(heads.q, p + "q", c_.heads), v = toHeads(heads.v, p + "v", c_.kvHeads);
    std::string k = g_.node("Transpose", p + "k.by_feature", {toHeads(heads.k, p + "k", c_.kvHeads)},
                            {intsAttribute("perm", {0, 1, 3, 2})});
    std::string scores = g_.node("MatMul", p + "scores", {q, k});
    scores = g_.node("Mul", p + "scaled", {scores, g_.number(float(c_.scoreScale))});
    scores = g_.node("Add", p + "masked", {capped(scores, p + "scores", c_.scoreCap), mask(window, /*isCausal=*/true)});
    std::string weights = g_.node("Softmax", p + "weights", {scores}, {intAttribute("axis", -1)});
    std::string mixed = g_.node("MatMul", p + "mixed", {weights, v});
    mixed = g_.node("Transpose", p + "mixed.by_place", {mixed}, {intsAttribute("perm", {0, 2, 1, 3})});
    return g_.node("Reshape", p + "mixed.joined", {mixed, g_.integers({batch_, seq_, c_.heads * c_.headSize})});
  }

  /// [batch, seq, heads * size] as [batch, heads of queries, seq, size]: each head of keys or values is repeated for its
  /// group.
  std::string toHeads(const std::string &x, const std::string &p, int64_t heads) {
    const int64_t group = c_.heads / heads;
    std::string parted = g_.node("Reshape", p + ".parted", {x, g_.integers({batch_, seq_, heads, c_.headSize})});
    std::string turned = g_.node("Transpose", p + ".by_head", {parted}, {intsAttribute("perm", {0, 2, 1, 3})});
    if (group == 1) return turned;
    std::string wide = g_.node("Unsqueeze", p + ".wide", {turned, g_.integers({2})});
    std::string all =
        g_.node("Expand", p + ".expanded", {wide, g_.integers({batch_, heads, group, seq_, c_.headSize})});
    return g_.node("Reshape", p + ".repeated", {all, g_.integers({batch_, c_.heads, seq_, c_.headSize})});
  }

  std::string activated(const std::string &x, const std::string &p) {
    switch (c_.activation) {
    case Activation::Silu:
      return g_.node("Mul", p + "silu", {x, g_.node("Sigmoid", p + "sigmoid", {x})});
    case Activation::Gelu:
      return g_.node("Gelu", p + "gelu", {x});
    case Activation::GeluTanh:
      return g_.node("Gelu", p + "gelu", {x}, {textAttribute("approximate", "tanh")});
    }
    return x;
  }

  std::string feedForward(const std::string &x, const std::string &p) {
    std::string gate, up;
    if (c_.isFused) {
      const std::string fused = linear(x, p + "gate_up_proj", c_.hidden, 2 * c_.ffn, c_.hasFfnBias);
      gate = slice(fused, p + "gate.part_of_both", 2, 0, c_.ffn);
      up = slice(fused, p + "up.part_of_both", 2, c_.ffn, 2 * c_.ffn);
    } else {
      gate = linear(x, p + "gate_proj", c_.hidden, c_.ffn, c_.hasFfnBias);
      up = linear(x, p + "up_proj", c_.hidden, c_.ffn, c_.hasFfnBias);
    }
    std::string gated = g_.node("Mul", p + "gated", {activated(gate, p), up});
    return linear(gated, p + "down_proj", c_.ffn, c_.hidden, c_.hasFfnBias);
  }

  /// A norm stands before each half of the block. Where results have norms too, the one after the attention has the name
  /// that elsewhere the one before the feed-forward has.
  std::string block(const std::string &x, const std::string &p, int64_t window) {
    const char *before = c_.normsResults ? "pre_feedforward_layernorm" : "post_attention_layernorm";
    std::string y = attention(norm(x, p + "input_layernorm", c_.hidden), p + "self_attn.", window);
    if (c_.normsResults) y = norm(y, p + "post_attention_layernorm", c_.hidden);
    y = g_.node("Add", p + "attended", {x, y});
    std::string z = feedForward(norm(y, p + before, c_.hidden), p + "mlp.");
    if (c_.normsResults) z = norm(z, p + "post_feedforward_layernorm", c_.hidden);
    return g_.node("Add", p + "result", {y, z});
  }

  /// Every position predicts the next label; the last one has none.
  void loss(const std::string &logits) {
    constexpr int64_t kIgnored = -100;
    std::string padded = g_.node("Pad", "labels.padded", {"labels", g_.integers({0, 0, 0, 1}), g_.integer(kIgnored)});
    std::string next = slice(padded, "labels.next", 1, 1, seq_ + 1);
    std::string flat = g_.node("Reshape", "labels.flat", {next, g_.integers({batch_ * seq_})});
    std::string rows = g_.node("Reshape", "logits.flat", {logits, g_.integers({batch_ * seq_, c_.vocab})});
    g_.node("SoftmaxCrossEntropyLoss", "loss", {rows, flat}, {intAttribute("ignore_index", kIgnored)});
    g_.scalarOutput("loss");
  }

  const DecoderConfig &c_;
  const int64_t batch_, seq_;
  DecoderModel &model_;
  GraphWriter g_;
};

} // namespace

int64_t DecoderParameter::elements() const { return elementsOf(shape); }

DecoderModel buildDecoder(const DecoderConfig &config, int64_t batch, int64_t seq) {
  DecoderModel model;
  model.proto.set_ir_version(11);
  model.proto.set_producer_name("autotp-model");
  onnx::OperatorSetIdProto *opset = model.proto.add_opset_import();
  opset->set_domain("");
  opset->set_version(23);
  model.proto.mutable_graph()->set_name(config.family);
  DecoderBuilder(config, batch, seq, model).build();
  return model;
}

} // namespace autotp
