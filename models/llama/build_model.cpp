#include "models/llama/build_model.h"

#include "models/llama/graph_writer.h"
#include "models/llama/rotary_tables.h"

#include <cmath>
#include <limits>

namespace autotp {
namespace {

class LlamaBuilder {
public:
  LlamaBuilder(const LlamaConfig &config, int64_t batch, int64_t seq, LlamaModel &model)
      : c_(config), batch_(batch), seq_(seq), model_(model), g_(*model.proto.mutable_graph()) {}

  void build() {
    g_.input("input_ids", {batch_, seq_});
    g_.input("labels", {batch_, seq_});
    addTables();
    const std::string embedding = parameter("model.embed_tokens.weight", {c_.vocab, c_.hidden}, Kind::Matrix);
    std::string x = g_.node("Gather", "embedded", {embedding, "input_ids"});
    for (int64_t layer = 0; layer < c_.layers; ++layer)
      x = block(x, "model.layers." + std::to_string(layer) + ".");
    x = norm(x, "model.norm");
    const std::string head = c_.isTied ? embedding : parameter("lm_head.weight", {c_.vocab, c_.hidden}, Kind::Matrix);
    loss(product(x, head, "logits", "lm_head"));
  }

private:
  enum class Kind : uint8_t { Matrix, Norm };

  std::string parameter(std::string name, std::vector<int64_t> shape, Kind kind) {
    int index = g_.declare(name, shape);
    model_.parameters.push_back({name, std::move(shape), index, kind == Kind::Norm});
    return name;
  }

  void addTables() {
    RotaryTables tables = rotaryTables(c_, seq_);
    g_.table("rotary.cos", {1, 1, seq_, c_.headSize}, tables.cos);
    g_.table("rotary.sin", {1, 1, seq_, c_.headSize}, tables.sin);
    std::vector<float> mask(size_t(seq_ * seq_), 0.0f);
    for (int64_t row = 0; row < seq_; ++row)
      std::fill(mask.begin() + row * seq_ + row + 1, mask.begin() + (row + 1) * seq_,
                -std::numeric_limits<float>::infinity());
    g_.table("causal_mask", {1, 1, seq_, seq_}, mask);
  }

  /// x / sqrt(mean(x^2) + epsilon) * weight.
  std::string norm(const std::string &x, const std::string &p) {
    const std::string weight = parameter(p + ".weight", {c_.hidden}, Kind::Norm);
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

  std::string linear(const std::string &x, const std::string &p, int64_t in, int64_t out) {
    return product(x, parameter(p + ".weight", {out, in}, Kind::Matrix), p + ".result", p + ".transposed");
  }

  /// [batch, seq, heads * size] -> [batch, heads, seq, size].
  std::string toHeads(const std::string &x, int64_t heads, const std::string &name) {
    std::string parted = g_.node("Reshape", name + ".parted", {x, g_.integers({batch_, seq_, heads, c_.headSize})});
    return g_.node("Transpose", name + ".heads", {parted}, {intsAttribute("perm", {0, 2, 1, 3})});
  }

  /// x * cos + concat(-second half, first half) * sin.
  std::string rotate(const std::string &x, const std::string &name) {
    const int64_t half = c_.headSize / 2;
    std::string even = g_.node("Mul", name + ".cos", {x, "rotary.cos"});
    std::string first = g_.node("Slice", name + ".first", {x, g_.integers({0}), g_.integers({half}), g_.integers({3})});
    std::string second =
        g_.node("Slice", name + ".second", {x, g_.integers({half}), g_.integers({c_.headSize}), g_.integers({3})});
    std::string negated = g_.node("Neg", name + ".negated", {second});
    std::string turned = g_.node("Concat", name + ".turned", {negated, first}, {intAttribute("axis", 3)});
    return g_.node("Add", name + ".rotated", {even, g_.node("Mul", name + ".sin", {turned, "rotary.sin"})});
  }

  /// Repeats each of the key or value heads for the query heads of its group.
  std::string repeat(const std::string &x, const std::string &name) {
    const int64_t group = c_.heads / c_.kvHeads;
    if (group == 1) return x;
    std::string wide = g_.node("Unsqueeze", name + ".wide", {x, g_.integers({2})});
    std::string all =
        g_.node("Expand", name + ".expanded", {wide, g_.integers({batch_, c_.kvHeads, group, seq_, c_.headSize})});
    return g_.node("Reshape", name + ".repeated", {all, g_.integers({batch_, c_.heads, seq_, c_.headSize})});
  }

  std::string attention(const std::string &x, const std::string &p) {
    const int64_t queries = c_.heads * c_.headSize, keys = c_.kvHeads * c_.headSize;
    std::string q = rotate(toHeads(linear(x, p + "q_proj", c_.hidden, queries), c_.heads, p + "q"), p + "q");
    std::string k = rotate(toHeads(linear(x, p + "k_proj", c_.hidden, keys), c_.kvHeads, p + "k"), p + "k");
    std::string v = repeat(toHeads(linear(x, p + "v_proj", c_.hidden, keys), c_.kvHeads, p + "v"), p + "v");
    k = g_.node("Transpose", p + "k.transposed", {repeat(k, p + "k")}, {intsAttribute("perm", {0, 1, 3, 2})});
    std::string scores = g_.node("MatMul", p + "scores", {q, k});
    scores = g_.node("Mul", p + "scaled", {scores, g_.number(float(1 / std::sqrt(double(c_.headSize))))});
    scores = g_.node("Add", p + "masked", {scores, "causal_mask"});
    std::string weights = g_.node("Softmax", p + "weights", {scores}, {intAttribute("axis", -1)});
    std::string mixed = g_.node("MatMul", p + "mixed", {weights, v});
    mixed = g_.node("Transpose", p + "joined", {mixed}, {intsAttribute("perm", {0, 2, 1, 3})});
    mixed = g_.node("Reshape", p + "flat", {mixed, g_.integers({batch_, seq_, queries})});
    return linear(mixed, p + "o_proj", queries, c_.hidden);
  }

  std::string feedForward(const std::string &x, const std::string &p) {
    std::string gate = linear(x, p + "gate_proj", c_.hidden, c_.ffn);
    std::string silu = g_.node("Mul", p + "silu", {gate, g_.node("Sigmoid", p + "sigmoid", {gate})});
    std::string up = linear(x, p + "up_proj", c_.hidden, c_.ffn);
    return linear(g_.node("Mul", p + "gated", {silu, up}), p + "down_proj", c_.ffn, c_.hidden);
  }

  std::string block(const std::string &x, const std::string &p) {
    std::string y = g_.node("Add", p + "attended", {x, attention(norm(x, p + "input_layernorm"), p + "self_attn.")});
    return g_.node("Add", p + "result", {y, feedForward(norm(y, p + "post_attention_layernorm"), p + "mlp.")});
  }

  /// Every position predicts the next label; the last one has none.
  void loss(const std::string &logits) {
    constexpr int64_t kIgnored = -100;
    std::string padded = g_.node("Pad", "labels.padded", {"labels", g_.integers({0, 0, 0, 1}), g_.integer(kIgnored)});
    std::string next =
        g_.node("Slice", "labels.next", {padded, g_.integers({1}), g_.integers({seq_ + 1}), g_.integers({1})});
    std::string flat = g_.node("Reshape", "labels.flat", {next, g_.integers({batch_ * seq_})});
    std::string rows = g_.node("Reshape", "logits.flat", {logits, g_.integers({batch_ * seq_, c_.vocab})});
    g_.node("SoftmaxCrossEntropyLoss", "loss", {rows, flat}, {intAttribute("ignore_index", kIgnored)});
    g_.scalarOutput("loss");
  }

  const LlamaConfig &c_;
  const int64_t batch_, seq_;
  LlamaModel &model_;
  GraphWriter g_;
};

} // namespace

int64_t LlamaParameter::elements() const {
  int64_t product = 1;
  for (int64_t size : shape)
    product *= size;
  return product;
}

LlamaModel buildLlama(const LlamaConfig &config, int64_t batch, int64_t seq) {
  LlamaModel model;
  model.proto.set_ir_version(10);
  model.proto.set_producer_name("autotp-model");
  onnx::OperatorSetIdProto *opset = model.proto.add_opset_import();
  opset->set_domain("");
  opset->set_version(20);
  model.proto.mutable_graph()->set_name("llama");
  model.proto.mutable_graph()->set_doc_string(
      "weights of *_proj and lm_head are [in, out]: transposes of the torch Linears of the same names");
  LlamaBuilder(config, batch, seq, model).build();
  return model;
}

} // namespace autotp
