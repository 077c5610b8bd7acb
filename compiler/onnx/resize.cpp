// compiler/onnx/resize.cpp: Resize, one dimension after the other. Nearest elements are selected by constant indices;
// other modes multiply by a constant matrix of weights. Coordinates and weights are those of the standard's reference.
#include "compiler/onnx/windows.h"
#include "runtime/base/indexed.h"

#include <algorithm>
#include <cmath>

namespace autotp {
namespace {

struct Filter {
  std::string mode, coordinates, nearest;
  /// cubic_coeff_a, and the value for points outside the operand (extrapolation_value)
  double cubic = -0.75, outside = 0;
  bool excludesOutside = false, smooths = false;
};

/// How one dimension is resized.
struct Resized {
  int64_t from, to;
  double scale, begin = 0, end = 1; ///< begin and end: the region of interest, as fractions of the dimension

  bool isSame() const { return from == to && std::fabs(scale - 1) < 1e-9 && begin == 0 && end == 1; }
};

/// The coordinate in the operand of element `i` of the result; nothing for an unknown mode.
std::optional<double> coordinateOf(const Filter &filter, const Resized &r, double i) {
  const double wide = r.scale * double(r.from), last = double(r.from - 1);
  if (filter.coordinates == "align_corners") return wide == 1 ? 0 : i * last / (wide - 1);
  if (filter.coordinates == "asymmetric") return i / r.scale;
  if (filter.coordinates == "half_pixel") return (i + 0.5) / r.scale - 0.5;
  if (filter.coordinates == "pytorch_half_pixel") return wide == 1 ? -0.5 : (i + 0.5) / r.scale - 0.5;
  if (filter.coordinates == "half_pixel_symmetric")
    return double(r.from) / 2 * (1 - double(r.to) / wide) + (i + 0.5) / r.scale - 0.5;
  if (filter.coordinates == "tf_half_pixel_for_nn") return (i + 0.5) / r.scale;
  if (filter.coordinates == "tf_crop_and_resize")
    return r.begin * last + (wide == 1 ? (r.end - r.begin) * last / 2 : i * (r.end - r.begin) * last / (wide - 1));
  return std::nullopt;
}

/// The cubic kernel at distance x (Keys 1981).
double cubicAt(double x, double a) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

/// The weights of consecutive neighbours. The coordinate lies `ratio`, in (0, 1], behind the last neighbour before it.
std::vector<double> weightsOf(const Filter &filter, double ratio, double scale) {
  if (filter.mode == "nearest") {
    if (ratio == 1 || filter.nearest == "ceil") return {0, 1};
    const bool isFirst =
        filter.nearest == "floor" || ratio < 0.5 || (ratio == 0.5 && filter.nearest == "round_prefer_floor");
    return {double(isFirst), double(!isFirst)};
  }
  const bool isCubic = filter.mode == "cubic";
  if (!filter.smooths && !isCubic) return {1 - ratio, ratio};
  const double shrink = filter.smooths ? std::min(scale, 1.0) : 1;
  const int64_t first = int64_t(std::floor((isCubic ? -2 : -1) / shrink)) + 1;
  std::vector<double> weights;
  double sum = 0;
  for (int64_t k = first; k < 2 - first; ++k) {
    const double distance = shrink * (double(k) - ratio);
    weights.push_back(isCubic ? cubicAt(distance, filter.cubic) : std::clamp(1 - std::fabs(distance), 0.0, 1.0));
    sum += weights.back();
  }
  for (double &weight : weights)
    weight /= filter.smooths ? sum : 1;
  return weights;
}

/// The matrix of weights, [to, from]. A coordinate outside the region of interest has a row of zeros and `isOutside`.
Array matrixOf(const Filter &filter, const Resized &r, DType dtype, std::vector<bool> &isOutside) {
  Array matrix(Type{dtype, {r.to, r.from}});
  isOutside.assign(size_t(r.to), false);
  for (int64_t i = 0; i < r.to; ++i) {
    const double at = coordinateOf(filter, r, double(i)).value_or(0), whole = std::floor(at);
    if (filter.coordinates == "tf_crop_and_resize" && (at < 0 || at > double(r.from - 1))) {
      isOutside[size_t(i)] = true;
      continue;
    }
    const bool isWhole = at == whole;
    std::vector<double> weights = weightsOf(filter, isWhole ? 1 : at - whole, r.scale);
    const int64_t count = int64_t(weights.size());
    // The first of the neighbours nearest to the coordinate; of two equally near ones, the first is taken.
    const int64_t first = int64_t(whole) + (count % 2 == 0 ? -count / 2 + (isWhole ? 0 : 1)
                                                           : -((count - 1) / 2) + (at - whole <= 0.5 ? 0 : 1));
    double sum = filter.excludesOutside ? 0 : 1;
    for (int64_t k = 0; k < count && filter.excludesOutside; ++k)
      sum += first + k >= 0 && first + k < r.from ? weights[size_t(k)] : 0;
    for (int64_t k = 0; k < count; ++k) {
      const bool isInside = first + k >= 0 && first + k < r.from;
      if (filter.excludesOutside && !isInside) continue;
      matrix.data[size_t(i * r.from + std::clamp<int64_t>(first + k, 0, r.from - 1))] +=
          weights[size_t(k)] / (sum == 0 ? 1 : sum);
    }
  }
  return matrix;
}

/// Selects elements by rows with one 1 and zeros. If each element is repeated equally often, it is broadcast instead.
ValueId chosen(Formula &f, NodeImport &node, ValueId x, size_t axis, const Array &matrix) {
  const int64_t to = matrix.type.shape[0], from = matrix.type.shape[1];
  std::vector<double> indices(size_t(to), 0);
  bool isSpread = to % from == 0;
  for (int64_t i = 0; i < to; ++i) {
    auto row = llvm::makeArrayRef(matrix.data).slice(size_t(i * from), size_t(from));
    const int64_t index = llvm::find(row, 1.0) - row.begin();
    indices[size_t(i)] = double(index);
    isSpread &= index == i / std::max<int64_t>(to / from, 1);
  }
  if (!isSpread) return chosenAlong(f, node, x, axis, indices);
  Shape apart = f.typeOf(x).shape, wide, merged = apart;
  apart.insert(apart.begin() + axis + 1, 1);
  wide = apart;
  wide[axis + 1] = to / from;
  merged[axis] = to;
  return f.reshape(f.expand(f.reshape(x, apart), wide), merged);
}

ValueId resizedAlong(Formula &f, NodeImport &node, ValueId x, size_t axis, const Resized &r, const Filter &filter) {
  std::vector<bool> isOutside;
  const Array matrix = matrixOf(filter, r, f.typeOf(x).dtype, isOutside);
  const bool isAnyOutside = llvm::is_contained(isOutside, true);
  ValueId y = filter.mode == "nearest" && !isAnyOutside ? chosen(f, node, x, axis, matrix)
                                                        : combinedAlong(f, node, x, axis, matrix);
  if (!isAnyOutside) return y;
  Shape places(f.typeOf(x).shape.size() - axis, 1);
  places[0] = r.to;
  Array outside(Type{DType::Bool, places});
  llvm::copy(isOutside, outside.data.begin());
  return f("where", {node.constantOf(toTensor(outside)), f.constant(x, filter.outside), y});
}

llvm::Expected<Filter> filterOf(NodeImport &node) {
  Filter filter{node.text("mode", "nearest"),
                node.text("coordinate_transformation_mode", "half_pixel"),
                node.text("nearest_mode", "round_prefer_floor"),
                node.real("cubic_coeff_a", -0.75),
                node.real("extrapolation_value", 0),
                node.integer("exclude_outside", 0) != 0,
                node.integer("antialias", 0) != 0};
  if (filter.mode != "nearest" && filter.mode != "linear" && filter.mode != "cubic")
    return node.fail("mode " + filter.mode + " is not known");
  if (!coordinateOf(filter, {1, 1, 1}, 0))
    return node.fail("coordinate_transformation_mode " + filter.coordinates + " is not known");
  if (filter.mode != "nearest" && !isFloat(node.type(0).dtype))
    return node.fail("it interpolates " + llvm::Twine(node.type(0).text()), "cast its operand to a float first");
  return filter;
}

/// The numbers of an operand that must be known when compiling; none if it is missing or empty.
llvm::Expected<std::vector<double>> numbersOf(NodeImport &node, size_t k) {
  if (!node.has(k) || node.type(k).elements() == 0) return std::vector<double>();
  const bool saysShape = k > 1; // scales and sizes; the numbers of a region are like others and may be trained
  const bool isKnown = saysShape || node.graph().value(node[k]).kind == ValueKind::Constant;
  const Tensor *known = isKnown ? node.constantOrInitializer(node[k]) : nullptr;
  if (!known)
    return node.fail("operand " + llvm::Twine(k) + " must be known when compiling", "export it as a constant");
  return toArray(*known).data;
}

/// How each dimension is resized, by sizes or by scales.
llvm::Expected<std::vector<Resized>> resizedOf(NodeImport &node, const std::vector<int64_t> &axes) {
  auto roi = numbersOf(node, 1), scales = numbersOf(node, 2), sizes = numbersOf(node, 3);
  for (auto *numbers : {&roi, &scales, &sizes})
    if (!*numbers) return numbers->takeError();
  const bool isBySize = scales->empty();
  const std::vector<double> &given = isBySize ? *sizes : *scales;
  if (given.size() != axes.size() || (!roi->empty() && roi->size() != 2 * axes.size()))
    return node.fail("its scales, sizes or region do not fit its dimensions");
  std::vector<Resized> all;
  for (auto [k, axis] : indexed(axes)) {
    const int64_t from = node.type(0).shape[size_t(axis)];
    const double to = isBySize ? given[k] : std::floor(given[k] * double(from));
    if (!(to >= 1 && to <= double(kMostElements)) || from < 1)
      return node.fail("dimension " + llvm::Twine(axis) + " of it becomes empty, or is too large");
    if (llvm::Error error = node.mustHold({int64_t(to), from})) return error;
    all.push_back({from, int64_t(to), isBySize ? to / double(from) : given[k]});
    if (!roi->empty() && node.text("coordinate_transformation_mode", "") == "tf_crop_and_resize") {
      all.back().begin = (*roi)[k];
      all.back().end = (*roi)[k + axes.size()];
    }
  }
  const std::string policy = node.text("keep_aspect_ratio_policy", "stretch");
  if (!isBySize || policy == "stretch") return all;
  auto less = [](const Resized &a, const Resized &b) { return a.scale < b.scale; };
  const double scale = policy == "not_larger" ? std::min_element(all.begin(), all.end(), less)->scale
                                              : std::max_element(all.begin(), all.end(), less)->scale;
  for (Resized &r : all) {
    r.scale = scale;
    r.to = int64_t(std::floor(scale * double(r.from) + 0.5));
  }
  return all;
}

llvm::Error importResize(NodeImport &node) {
  auto filter = filterOf(node);
  if (!filter) return filter.takeError();
  const size_t rank = node.type(0).shape.size();
  const auto every = countingUp(rank);
  std::vector<int64_t> axes = node.integers("axes").value_or(std::vector<int64_t>(every.begin(), every.end()));
  for (int64_t &axis : axes) {
    auto found = node.axis(axis, rank);
    if (!found) return found.takeError();
    axis = *found;
  }
  auto resized = resizedOf(node, axes);
  if (!resized) return resized.takeError();
  Formula f(node);
  ValueId x = node[0];
  for (auto [k, axis] : indexed(axes))
    if (!(*resized)[k].isSame() && !f.isBroken(x)) x = resizedAlong(f, node, x, size_t(axis), (*resized)[k], *filter);
  return f.finish(x);
}

const ImportDef kImports[] = {
    {"", "Resize", 1, importResize, 0, "scales, sizes and region must be known when compiling"}};

} // namespace

llvm::ArrayRef<ImportDef> resizeImports() { return kImports; }

} // namespace autotp
