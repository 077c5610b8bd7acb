/// \file Kernels that move, look up and reduce.
#include "tests/conformance/kernel_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace autotp::test {
namespace {

std::vector<int64_t> indexOf(int64_t flat, const Shape &shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t d = shape.size(); d-- > 0; flat /= shape[d])
    index[d] = flat % shape[d];
  return index;
}

int64_t flatOf(const std::vector<int64_t> &index, const Shape &shape) {
  int64_t flat = 0;
  for (size_t d = 0; d < shape.size(); ++d)
    flat = flat * shape[d] + index[d];
  return flat;
}

TEST(Movement, CopyFullAndExpand) {
  for (DType dtype : {DType::F32, DType::I64, DType::Bool, DType::F16, DType::BF16}) {
    Value x = randomValue({37, 1001}, 1, 0, 2, dtype);
    expectCase({KernelId::Copy, {x}, {x}, {}, 0});
    expectCase({KernelId::Full, {}, {filled({3, 5}, 1, dtype)}, attributes({{"value", 1.0}})});
  }
  expectCase({KernelId::Copy, {randomValue({0, 3}, 1)}, {randomValue({0, 3}, 1)}});
  expectCase({KernelId::Expand, {{DType::F32, {2, 1}, {1, 2}}}, {{DType::F32, {2, 3}, {1, 1, 1, 2, 2, 2}}}});
  expectCase({KernelId::Expand, {{DType::I64, {}, {7}}}, {{DType::I64, {2, 2}, {7, 7, 7, 7}}}});
  expectCase({KernelId::Expand, {{DType::F32, {1, 2}, {1, 2}}}, {{DType::F32, {2, 2, 2}, {1, 2, 1, 2, 1, 2, 1, 2}}}});
  expectCase({KernelId::Expand, {filled({1, 3}, 1)}, {filled({0, 3}, 1)}});
}

TEST(Movement, TransposeEveryPermutation) {
  for (const Shape &shape : {Shape{3, 5, 2, 7}, Shape{1, 19, 1, 33}, Shape{2, 0, 3, 4}, Shape{17, 2, 65, 40}}) {
    std::vector<int64_t> perm = {0, 1, 2, 3};
    Value x = randomValue(shape, 2);
    do {
      Value y;
      for (int64_t p : perm)
        y.shape.push_back(shape[size_t(p)]);
      for (int64_t i = 0; i < elementsOf(y.shape); ++i) {
        std::vector<int64_t> to = indexOf(i, y.shape), from(4);
        for (size_t d = 0; d < 4; ++d)
          from[size_t(perm[d])] = to[d];
        y.v.push_back(x.v[size_t(flatOf(from, shape))]);
      }
      expectCase({KernelId::Transpose, {x}, {y}, attributes({{"perm", perm}}), 0});
    } while (std::next_permutation(perm.begin(), perm.end()));
  }
}

TEST(Movement, SliceAndConcat) {
  const Shape shape = {3, 7, 5};
  Value x = randomValue(shape, 3);
  for (int64_t axis = 0; axis < 3; ++axis)
    for (auto [start, step, length] :
         {std::tuple<int64_t, int64_t, int64_t>{1, 1, 2}, {0, 2, 2}, {2, -1, 3}, {2, 1, 0}}) {
      Value y{DType::F32, shape, {}};
      y.shape[size_t(axis)] = length;
      for (int64_t i = 0; i < elementsOf(y.shape); ++i) {
        std::vector<int64_t> index = indexOf(i, y.shape);
        index[size_t(axis)] = start + step * index[size_t(axis)];
        y.v.push_back(x.v[size_t(flatOf(index, shape))]);
      }
      expectCase({KernelId::Slice, {x}, {y}, attributes({{"axis", axis}, {"start", start}, {"step", step}}), 0});
    }
  for (int64_t axis = 0; axis < 3; ++axis) {
    std::vector<Value> parts;
    Value whole{DType::F32, {2, 3, 4}, {}};
    whole.shape[size_t(axis)] = 6;
    for (int64_t size : {1, 0, 5}) {
      Shape part = {2, 3, 4};
      part[size_t(axis)] = size;
      parts.push_back(randomValue(part, int(size)));
    }
    for (int64_t i = 0; i < elementsOf(whole.shape); ++i) {
      std::vector<int64_t> index = indexOf(i, whole.shape);
      int64_t &at = index[size_t(axis)];
      const Value &part = at < 1 ? parts[0] : parts[2];
      if (at >= 1) at -= 1;
      whole.v.push_back(part.v[size_t(flatOf(index, part.shape))]);
    }
    expectCase({KernelId::Concat, parts, {whole}, attributes({{"axis", axis}}), 0});
  }
}

TEST(Movement, GatherAndScatterAdd) {
  const int64_t rows = 11, offset = 4, held = 5, width = 3;
  Value table = randomValue({held, width}, 1), ids = integers({2, 4}, {4, 0, 8, 10, 5, 5, 3, 7});
  Value taken{DType::F32, {2, 4, width}, {}}, dy = randomValue({2, 4, width}, 2), sum = filled({held, width}, 0);
  for (size_t i = 0; i < ids.v.size(); ++i)
    for (int64_t w = 0; w < width; ++w) {
      int64_t row = int64_t(ids.v[i]) - offset;
      bool isHere = row >= 0 && row < held;
      taken.v.push_back(isHere ? table.v[size_t(row * width + w)] : 0);
      if (isHere) sum.v[size_t(row * width + w)] += dy.v[i * width + size_t(w)];
    }
  KernelAttributes a = attributes({{"offset", offset}, {"rows", rows}});
  for (DType dtype : {DType::I64, DType::I32}) {
    ids.dtype = dtype;
    expectCase({KernelId::Gather, {table, ids}, {taken}, a, 0});
    expectCase({KernelId::ScatterAdd, {ids, dy}, {sum}, a});
    Value wrapped = ids; // counted from the end of all rows, of which these are a part
    for (double &id : wrapped.v)
      id -= id > 5 ? double(rows) : 0;
    expectCase({KernelId::Gather, {table, wrapped}, {taken}, a, 0});
    expectCase({KernelId::ScatterAdd, {wrapped, dy}, {sum}, a});
    for (double out : {-12.0, 11.0}) {
      Value bad = ids;
      bad.v[3] = out;
      expectStatus({KernelId::Gather, {table, bad}, {taken}, a}, Status::IndexOutOfRange);
      expectStatus({KernelId::ScatterAdd, {bad, dy}, {sum}, a}, Status::IndexOutOfRange);
    }
  }
  for (DType dtype : {DType::I64, DType::I32}) {
    const KernelAttributes size = attributes({{"size", int64_t(5)}});
    expectCase(
        {KernelId::WrapIndex, {integers({4}, {-5, -1, 0, 4}, dtype)}, {integers({4}, {0, 4, 0, 4}, dtype)}, size});
    for (double out : {-6.0, 5.0})
      expectStatus({KernelId::WrapIndex, {integers({2}, {0, out}, dtype)}, {integers({2}, {0, 0}, dtype)}, size},
                   Status::IndexOutOfRange);
  }
  Value wide = randomValue({11, 8}, 7), rowsOf8{DType::F32, {2, 8}, {}}; // of whole 16 bytes
  for (int64_t row : {9, 2})
    rowsOf8.v.insert(rowsOf8.v.end(), wide.v.begin() + row * 8, wide.v.begin() + row * 8 + 8);
  expectCase({KernelId::Gather, {wide, integers({2}, {9, 2})}, {rowsOf8}, {}, 0});
  Value spread = filled({11, 8}, 0);
  for (int64_t i = 0; i < 16; ++i)
    spread.v[size_t((i < 8 ? 9 : 2) * 8 + i % 8)] = rowsOf8.v[size_t(i)];
  expectCase({KernelId::ScatterAdd, {integers({2}, {9, 2}), rowsOf8}, {spread}, {}, 0});
  Value many = randomValue({9000}, 5, 0, 50, DType::I64), grown = randomValue({9000, 9}, 6), large = filled({50, 9}, 0);
  for (size_t i = 0; i < many.v.size(); ++i)
    for (size_t w = 0; w < 9; ++w)
      large.v[size_t(many.v[i]) * 9 + w] += grown.v[i * 9 + w];
  expectCase({KernelId::ScatterAdd, {many, grown}, {large}, attributes({{"rows", int64_t(50)}}), 1e-4});
}

TEST(Movement, ReduceEveryAxis) {
  for (const Shape &shape : {Shape{3, 5, 2, 7}, Shape{40, 3, 130, 5}, Shape{2, 0, 3, 4}, Shape{1, 1, 1, 1}})
    for (int set = 0; set < 16; ++set)
      for (int64_t keep : {0, 1})
        for (DType dtype : {DType::F32, DType::F64, DType::I64}) {
          std::vector<int64_t> axes;
          Shape kept, result;
          for (int64_t d = 0; d < 4; ++d) {
            bool isSummed = set >> d & 1;
            if (isSummed) axes.push_back(d);
            kept.push_back(isSummed ? 1 : shape[size_t(d)]);
            if (!isSummed || keep) result.push_back(kept.back());
          }
          Value x = randomValue(shape, 9, -3, 3, dtype), sum = filled(result, 0, dtype),
                most = filled(result, -INFINITY, dtype);
          for (int64_t i = 0; i < elementsOf(shape); ++i) {
            std::vector<int64_t> index = indexOf(i, shape);
            for (int64_t axis : axes)
              index[size_t(axis)] = 0;
            size_t to = size_t(flatOf(index, kept));
            sum.v[to] += x.v[size_t(i)];
            most.v[to] = std::max(most.v[to], x.v[size_t(i)]);
          }
          KernelAttributes a = attributes({{"axes", axes}, {"keepdims", keep}});
          expectCase({KernelId::ReduceSum, {x}, {sum}, a});
          if (elementsOf(shape) > 0) expectCase({KernelId::ReduceMax, {x}, {most}, a});
        }
}

/// Sums that devices share out: few results of many elements, innermost or not.
TEST(Movement, ReduceLongAxes) {
  struct Row {
    Shape shape;
    std::vector<int64_t> axes;
  };
  for (const Row &row : {Row{{70001}, {0}}, Row{{3, 5003}, {1}}, Row{{5003, 3}, {0}}, Row{{2, 3, 1500, 2}, {0, 2}},
                         Row{{600, 40}, {0}}, Row{{20000, 2}, {1}}, Row{{40, 3, 700}, {0, 2}}}) {
    Shape kept, result;
    for (size_t d = 0; d < row.shape.size(); ++d) {
      const bool isSummed = std::find(row.axes.begin(), row.axes.end(), int64_t(d)) != row.axes.end();
      kept.push_back(isSummed ? 1 : row.shape[d]);
      if (!isSummed) result.push_back(row.shape[d]);
    }
    Value x = randomValue(row.shape, 11), sum = filled(result, 0), most = filled(result, -INFINITY);
    for (int64_t i = 0; i < elementsOf(row.shape); ++i) {
      std::vector<int64_t> index = indexOf(i, row.shape);
      for (int64_t axis : row.axes)
        index[size_t(axis)] = 0;
      const size_t to = size_t(flatOf(index, kept));
      sum.v[to] += x.v[size_t(i)];
      most.v[to] = std::max(most.v[to], x.v[size_t(i)]);
    }
    KernelAttributes a = attributes({{"axes", row.axes}});
    expectCase({KernelId::ReduceSum, {x}, {sum}, a});
    expectCase({KernelId::ReduceMax, {x}, {most}, a, 0});
  }
}

/// Every element size, and rows that are whole words of 16 bytes or not.
TEST(Movement, EveryElementSize) {
  for (DType dtype : {DType::U8, DType::F16, DType::F32, DType::I64})
    for (int64_t columns : {16, 33}) {
      Value x{dtype, {40, columns}, {}}, turned{dtype, {columns, 40}, {}}, half{dtype, {40, columns / 2}, {}},
          twice{dtype, {40, 2 * columns}, {}}, taken{dtype, {2, columns}, {}};
      for (int64_t i = 0; i < 40 * columns; ++i)
        x.v.push_back(double(i * 7 % 64));
      auto at = [&](int64_t row, int64_t column) { return x.v[size_t(row * columns + column)]; };
      for (int64_t i = 0; i < 40 * columns; ++i)
        turned.v.push_back(at(i % 40, i / 40));
      for (int64_t row = 0; row < 40; ++row) {
        for (int64_t column = 0; column < columns / 2; ++column)
          half.v.push_back(at(row, column + columns / 2));
        for (int64_t column = 0; column < 2 * columns; ++column)
          twice.v.push_back(at(row, column % columns));
      }
      for (int64_t row : {39, 1})
        for (int64_t column = 0; column < columns; ++column)
          taken.v.push_back(at(row, column));
      expectCase({KernelId::Transpose, {x}, {turned}, attributes({{"perm", std::vector<int64_t>{1, 0}}}), 0});
      expectCase({KernelId::Slice,
                  {x},
                  {half},
                  attributes({{"axis", int64_t(1)}, {"start", columns / 2}, {"step", int64_t(1)}}),
                  0});
      expectCase({KernelId::Concat, {x, x}, {twice}, attributes({{"axis", int64_t(1)}}), 0});
      expectCase({KernelId::Gather, {x, integers({2}, {39, 1})}, {taken}, {}, 0});
      Value cut{DType::Bool, {columns}, std::vector<double>(size_t(columns), 1)};
      expectCase({KernelId::Where, {cut, x, x}, {x}, {}, 0});
    }
}

} // namespace
} // namespace autotp::test
