// compiler/onnx/attention.cpp: attention and rotary embedding of opset 23. What our operators do not have (a cache, a
// soft cap) is left to the standard's own definition.
#include "compiler/onnx/formula.h"

#include <cmath>

namespace autotp {
namespace {

/// Queries, keys or values as [batch, sequence, heads, size], from [b, s, (h d)] or from [b, h, s, d]; kNone if they
/// have another form.
ValueId byHeads(Formula &f, ValueId x, int64_t heads) {
  const Shape shape = f.typeOf(x).shape;
  if (shape.size() == 4) return f.transpose(x, {0, 2, 1, 3});
  if (shape.size() != 3 || heads < 1 || shape[2] % heads) return kNone;
  return f.reshape(x, {shape[0], shape[1], heads, shape[2] / heads});
}

/// A mask that is added to the scores, [b or 1, h or 1, s, t], from one of floats or of truth values.
ValueId addedMask(Formula &f, ValueId mask, DType dtype, int64_t s, int64_t t) {
  if (f.typeOf(mask).dtype == DType::Bool) {
    ValueId zero = f.cast(f.constant(mask, 0), dtype);
    mask = f("where", {mask, zero, f.constant(zero, -HUGE_VAL)});
  }
  Shape shape = f.typeOf(mask).shape;
  while (shape.size() < 4)
    shape.insert(shape.begin(), 1);
  mask = f.reshape(mask, shape);
  shape[2] = s;
  shape[3] = t;
  return f.expand(mask, shape);
}

llvm::Error importAttention(NodeImport &node) {
  const DType dtype = node.type(0).dtype;
  // Other attributes, such as windows, are not known here. The softmax runs in f32, so another precision is declined.
  if (node.saysMoreThan({"q_num_heads", "kv_num_heads", "is_causal", "scale", "softcap", "softmax_precision"}))
    return node.decline();
  auto precision = dtypeOf(int(node.integer("softmax_precision", onnx::TensorProto::FLOAT)));
  if (!precision) return node.fail(precision.takeError());
  if (*precision != DType::F32) return node.decline();
  bool isPlain = node.numResults() == 1 && node.real("softcap", 0) == 0 && !node.has(4) && !node.has(5) && !node.has(6);
  bool sameTypes = node.type(1).dtype == dtype && node.type(2).dtype == dtype;
  if (!isPlain || !sameTypes) return node.decline();
  Formula f(node);
  ValueId q = byHeads(f, node[0], node.integer("q_num_heads", 0)),
          k = byHeads(f, node[1], node.integer("kv_num_heads", 0)),
          v = byHeads(f, node[2], node.integer("kv_num_heads", 0));
  if (f.isBroken({q, k, v})) return node.fail("its q, k and v do not fit its numbers of heads");
  const Shape shape = f.typeOf(q).shape;
  const int64_t s = shape[1], t = f.typeOf(k).shape[1];
  bool isCausal = node.integer("is_causal", 0);
  // Our causal mask is aligned at the last key, that of the standard at the first.
  if (isCausal && s != t) return node.decline();
  llvm::SmallVector<ValueId, 4> operands = {q, k, v};
  if (node.has(3)) {
    const Shape mask = node.type(3).shape;
    if (mask.size() > 4 || mask.empty() || (mask.back() != t && mask.back() != 1)) return node.decline();
    operands.push_back(addedMask(f, node[3], dtype, s, t));
  }
  double scale = node.real("scale", 0);
  if (scale == 0) scale = 1 / std::sqrt(double(shape[3]));
  ValueId y = f("attention", operands, {{"causal", int64_t(isCausal)}, {"scale", scale}});
  if (node.type(0).shape.size() == 4) return f.finish(f.transpose(y, {0, 2, 1, 3}));
  const Shape out = f.typeOf(y).shape;
  return f.finish(f.isBroken(y) ? kNone : f.reshape(y, {out[0], out[1], out[2] * out[3]}));
}

/// The table [s, f] that all sequences of the batch share; kNone if they differ or that is unknown.
ValueId sharedTable(Formula &f, NodeImport &node, ValueId cache, int64_t sequence) {
  const Shape shape = f.typeOf(cache).shape;
  if (!node.has(3)) return shape.size() == 3 && shape[0] == 1 ? f.reshape(cache, {shape[1], shape[2]}) : kNone;
  const Tensor *positions = node.constant(node[3]);
  if (!positions || shape.size() != 2) return kNone;
  Array all = toArray(*positions);
  for (size_t i = size_t(sequence); i < all.data.size(); ++i)
    if (all.data[i] != all.data[i - size_t(sequence)]) return kNone;
  all.type = Type{DType::I64, {sequence}};
  all.data.resize(size_t(sequence));
  return f("gather", {cache, node.constantOf(toTensor(all))});
}

/// The table of each sequence, [b, s, 1, f].
ValueId ownTable(Formula &f, NodeImport &node, ValueId cache) {
  ValueId rows = node.has(3) ? f("gather", {cache, node[3]}) : cache;
  const Shape shape = f.typeOf(rows).shape;
  return shape.size() == 3 ? f.reshape(rows, {shape[0], shape[1], 1, shape[2]}) : kNone;
}

/// Rotates pairs of x [b, s, h, d]: (x1, x2) becomes (x1 cos - x2 sin, x2 cos + x1 sin). Pairs are neighbours if
/// `isInterleaved`, else elements of both halves.
ValueId rotatedPairs(Formula &f, ValueId x, ValueId cos, ValueId sin, bool isInterleaved) {
  const Shape shape = f.typeOf(x).shape;
  const int64_t half = shape[3] / 2, axis = isInterleaved ? 4 : 3, length = isInterleaved ? 1 : half;
  Shape paired = {shape[0], shape[1], shape[2], half, 2}, flat = {shape[0], shape[1], shape[2], half},
        apart = isInterleaved ? Shape{shape[0], shape[1], shape[2], half, 1} : flat;
  ValueId pairs = isInterleaved ? f.reshape(x, paired) : x;
  ValueId x1 = f.reshape(f.slice(pairs, axis, 0, length), flat),
          x2 = f.reshape(f.slice(pairs, axis, length, length), flat);
  ValueId y1 = f("sub", {f("mul", {x1, cos}), f("mul", {x2, sin})}),
          y2 = f("add", {f("mul", {x2, cos}), f("mul", {x1, sin})});
  return f.reshape(f("concat", {f.reshape(y1, apart), f.reshape(y2, apart)}, {{"axis", axis}}), shape);
}

llvm::Error importRotary(NodeImport &node) {
  Formula f(node);
  const Shape from = node.type(0).shape;
  ValueId x = byHeads(f, node[0], node.integer("num_heads", 0));
  if (f.isBroken(x)) return node.fail("its operand does not fit its number of heads");
  const Shape shape = f.typeOf(x).shape;
  const int64_t size = shape[3], given = node.integer("rotary_embedding_dim", 0), turned = given ? given : size;
  const bool isInterleaved = node.integer("interleaved", 0);
  for (size_t k : {1u, 2u})
    if (node.type(k).shape.empty() || node.type(k).shape.back() < turned / 2 ||
        node.type(k).dtype != node.type(0).dtype)
      return node.fail("its tables do not fit its operand");
  if (turned > size || turned < 2 || turned % 2)
    return node.fail("it cannot turn " + llvm::Twine(turned) + " of " + llvm::Twine(size) + " elements");
  auto part = [&](ValueId table) {
    return f.isBroken(table) ? kNone : f.slice(table, int64_t(f.typeOf(table).shape.size()) - 1, 0, turned / 2);
  };
  ValueId first = f.slice(x, 3, 0, turned), y, cos = isInterleaved ? kNone : sharedTable(f, node, node[1], shape[1]);
  if (cos != kNone)
    y = f("rotary", {first, part(cos), part(sharedTable(f, node, node[2], shape[1]))}, {{"inverse", int64_t(0)}});
  else
    y = rotatedPairs(f, first, part(ownTable(f, node, node[1])), part(ownTable(f, node, node[2])), isInterleaved);
  if (f.isBroken(y)) return f.finish(y);
  if (turned < size) y = f("concat", {y, f.slice(x, 3, turned, size - turned)}, {{"axis", int64_t(3)}});
  return f.finish(from.size() == 4 ? f.transpose(y, {0, 2, 1, 3}) : f.reshape(y, from));
}

const ImportDef kImports[] = {{"", "Attention", 3, importAttention}, {"", "RotaryEmbedding", 3, importRotary}};

} // namespace

llvm::ArrayRef<ImportDef> attentionImports() { return kImports; }

} // namespace autotp
