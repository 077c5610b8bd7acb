#include "tests/conformance/kernel_case.h"

#include "runtime/base/error.h"
#include "runtime/base/small_floats.h"
#include "tests/conformance/device_under_test.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace autotp::test {

namespace {

template <typename T> void put(std::byte *at, T value) { std::memcpy(at, &value, sizeof value); }
template <typename T> T get(const std::byte *at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void store(DType dtype, double x, std::byte *at) {
  switch (dtype) {
  case DType::F32:
    return put(at, float(x));
  case DType::F64:
    return put(at, x);
  case DType::BF16:
    return put(at, floatToBf16(float(x)));
  case DType::F16:
    return put(at, doubleToHalf(x));
  case DType::I64:
    return put(at, int64_t(x));
  case DType::I32:
    return put(at, int32_t(x));
  default:
    return put(at, uint8_t(x));
  }
}

double load(DType dtype, const std::byte *at) {
  switch (dtype) {
  case DType::F32:
    return get<float>(at);
  case DType::F64:
    return get<double>(at);
  case DType::BF16:
    return bf16ToFloat(get<uint16_t>(at));
  case DType::F16:
    return halfToDouble(get<uint16_t>(at));
  case DType::I64:
    return double(get<int64_t>(at));
  case DType::I32:
    return get<int32_t>(at);
  default:
    return get<uint8_t>(at);
  }
}

/// A call laid out in device memory of exactly its size, so that a sanitizer sees any step outside.
struct Laid {
  Device &device;
  KernelArgs args;

  static std::vector<std::byte> bytesOf(const Value &value) {
    std::vector<std::byte> bytes(value.v.size() * sizeOf(value.dtype));
    for (size_t i = 0; i < value.v.size(); ++i)
      store(value.dtype, value.v[i], bytes.data() + i * sizeOf(value.dtype));
    return bytes;
  }

  void reset(const Case &c) {
    std::vector<std::vector<std::byte>> sources; // until they have arrived
    auto fill = [&](const TensorArg &to, std::vector<std::byte> bytes) {
      sources.push_back(std::move(bytes));
      device.upload(to.as<std::byte>(), sources.back().data(), sources.back().size());
    };
    for (size_t r = 0; r < c.results.size(); ++r) // before the operands, since a result may be one of them
      fill(args.results[r],
           std::vector<std::byte>(size_t(args.results[r].elements()) * sizeOf(c.results[r].dtype), std::byte{0x7f}));
    for (size_t k = 0; k < c.operands.size(); ++k)
      fill(args.operands[k], bytesOf(c.operands[k]));
    llvm::consumeError(device.synchronise().takeError());
  }
};

/// `shift`: tensors begin so many elements past an aligned address.
Laid layOut(Device &device, const Case &c, int threads, int64_t workspaceBytes, size_t shift) {
  Laid laid{device, {}};
  std::vector<TensorShape> in, out;
  auto place = [&](const Value &v) {
    const size_t bytes = size_t(elementsOf(v.shape)) * sizeOf(v.dtype), before = shift * sizeOf(v.dtype);
    return TensorArg{llvm::cantFail(device.allocate(bytes + before)).data() + before, v.dtype, v.shape};
  };
  auto shapeOf = [](const Value &v) { return TensorShape{v.dtype, {v.shape.begin(), v.shape.end()}}; };
  for (const Value &v : c.operands) {
    laid.args.operands.push_back(place(v));
    in.push_back(shapeOf(v));
  }
  for (size_t r = 0; r < c.results.size(); ++r) {
    const Value &v = c.results[r];
    const bool isInPlace = r < c.inPlace.size() && c.inPlace[r] >= 0;
    laid.args.results.push_back(place(v));
    if (isInPlace) laid.args.results.back().data = laid.args.operands[size_t(c.inPlace[r])].data;
    out.push_back(shapeOf(v));
  }
  const uint64_t bytes =
      workspaceBytes < 0 ? plannedWorkspaceBytes(c.kernel, in, out, threads) : uint64_t(workspaceBytes);
  laid.args.workspace = llvm::cantFail(device.allocate(bytes));
  laid.args.attributes = c.attributes;
  laid.args.dpRank = c.dpRank;
  laid.reset(c);
  return laid;
}

} // namespace

int64_t elementsOf(const Shape &shape) {
  int64_t n = 1;
  for (int64_t d : shape)
    n *= d;
  return n;
}

Value randomValue(Shape shape, int seed, double low, double high, DType dtype) {
  Value value{dtype, shape, {}};
  uint64_t state = uint64_t(seed) * 0x9E3779B97F4A7C15u + 1;
  for (int64_t i = 0; i < elementsOf(shape); ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    double x = low + (high - low) * double(state >> 40) / double(1 << 24);
    value.v.push_back(dtype == DType::F32    ? double(float(x))
                      : dtype == DType::BF16 ? double(bf16ToFloat(floatToBf16(float(x))))
                      : dtype == DType::F16  ? halfToDouble(doubleToHalf(x))
                      : isFloat(dtype)       ? x
                                             : std::floor(x));
  }
  return value;
}

double roundingOf(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return 1e-12;
  case DType::BF16:
    return 1.0 / 256;
  case DType::F16:
    return 1.0 / 2048;
  default:
    return 2e-6;
  }
}

Value filled(Shape shape, double value, DType dtype) {
  return {dtype, shape, std::vector<double>(size_t(elementsOf(shape)), value)};
}
Value integers(Shape shape, std::vector<double> values, DType dtype) {
  return {dtype, std::move(shape), std::move(values)};
}

KernelAttributes attributes(std::vector<std::pair<std::string, KernelAttributes::Value>> values) {
  KernelAttributes all;
  for (auto &[name, value] : values)
    all.set(name, value);
  return all;
}

llvm::Expected<std::vector<Value>> runCase(const Case &c, int threads, Status &status) {
  std::unique_ptr<Device> device = makeDeviceUnderTest(threads);
  Laid laid = layOut(*device, c, threads, -1, size_t(threads - 1));
  auto kernel = device->prepare(c.kernel, laid.args);
  if (!kernel) return kernel.takeError();
  std::vector<std::vector<std::byte>> first;
  for (int run = 0; run < 2; ++run) {
    laid.reset(c);
    status = (*kernel)->run();
    llvm::Expected<Failure> failure = device->synchronise();
    if (!failure) return failure.takeError();
    if (status == Status::Ok) status = failure->status;
    for (size_t r = 0; r < c.results.size(); ++r) {
      const TensorArg &t = laid.args.results[r];
      std::vector<std::byte> bytes(size_t(t.elements()) * sizeOf(t.dtype));
      device->download(bytes.data(), t.as<std::byte>(), bytes.size());
      if (run == 0)
        first.push_back(std::move(bytes));
      else
        EXPECT_EQ(first[r], bytes) << nameOf(c.kernel).str() << " gives other bits when run again";
    }
  }
  std::vector<Value> got;
  for (size_t r = 0; r < c.results.size(); ++r) {
    Value v{c.results[r].dtype, c.results[r].shape, {}};
    for (size_t i = 0; i < size_t(elementsOf(v.shape)); ++i)
      v.v.push_back(load(v.dtype, first[r].data() + i * sizeOf(v.dtype)));
    got.push_back(std::move(v));
  }
  return got;
}

void expectCase(const Case &c, const std::string &what) {
  for (int threads : {1, 2, 5}) {
    Status status = Status::Ok;
    auto got = runCase(c, threads, status);
    if (!got) {
      ADD_FAILURE() << nameOf(c.kernel).str() << " " << what << ": " << describe(got.takeError());
      return;
    }
    EXPECT_EQ(int(status), int(Status::Ok)) << nameOf(c.kernel).str() << " " << what;
    for (size_t r = 0; r < c.results.size(); ++r) {
      ASSERT_EQ((*got)[r].v.size(), c.results[r].v.size()) << "the test expects too few numbers";
      for (size_t i = 0; i < c.results[r].v.size(); ++i) {
        double g = (*got)[r].v[i], w = c.results[r].v[i];
        bool same = g == w || (g != g && w != w) || std::fabs(g - w) <= c.tolerance * (1 + std::fabs(w));
        ASSERT_TRUE(same) << nameOf(c.kernel).str() << " " << what << ", result " << r << ", element " << i << ": " << g
                          << ", not " << w << " (" << threads << " threads)";
      }
    }
  }
}

void expectStatus(const Case &c, Status wanted) {
  for (int threads : {1, 2}) {
    Status status = Status::Ok;
    auto got = runCase(c, threads, status);
    if (!got) FAIL() << describe(got.takeError());
    EXPECT_EQ(int(status), int(wanted)) << nameOf(c.kernel).str();
  }
}

void expectRefused(const Case &c, const std::string &part, int64_t workspaceBytes) {
  std::unique_ptr<Device> device = makeDeviceUnderTest(2);
  Laid laid = layOut(*device, c, 2, workspaceBytes, 0);
  auto kernel = device->prepare(c.kernel, laid.args);
  if (kernel) {
    ADD_FAILURE() << nameOf(c.kernel).str() << " accepts what should be refused: " << part;
    return;
  }
  std::string text = describe(kernel.takeError());
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

} // namespace autotp::test
