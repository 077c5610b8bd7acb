#include "runtime/plan/kernels/signature.h"

#include "runtime/plan/kernels/kernel_def.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringSwitch.h"

#include <cassert>

namespace autotp {
namespace {

using Dim = Signature::Dim;
using Tensor = Signature::Tensor;

class Parser {
public:
  std::vector<Tensor> tensors(llvm::StringRef text) {
    llvm::SmallVector<llvm::StringRef, 8> parts;
    text.split(parts, ',', -1, /*KeepEmpty=*/false);
    std::vector<Tensor> all;
    for (llvm::StringRef part : parts)
      if (!part.trim().empty()) all.push_back(tensor(part.trim()));
    return all;
  }

  std::vector<std::string> names;

private:
  Tensor tensor(llvm::StringRef text) {
    Tensor tensor;
    tensor.text = text.str();
    tensor.isOptional = text.consume_back("?");
    tensor.isRepeated = text.consume_back("*");
    tensor.countsElements = text.consume_front("~");
    auto [dims, type] = text.split(':');
    tensor.type = llvm::StringSwitch<Signature::Type>(type)
                      .Case("", Signature::Type::Data)
                      .Case("f32", Signature::Type::F32)
                      .Case("i64", Signature::Type::I64)
                      .Case("bool", Signature::Type::Bool)
                      .Case("index", Signature::Type::Index)
                      .Case("any", Signature::Type::Any);
    while (!(dims = dims.ltrim()).empty()) {
      const size_t end = dims.startswith("(") ? dims.find(')') + 1 : std::min(dims.find(' '), dims.size());
      tensor.dims.push_back(dim(dims.take_front(end)));
      dims = dims.drop_front(end);
    }
    return tensor;
  }

  Dim dim(llvm::StringRef text) {
    Dim dim;
    if (text.consume_back("...")) dim.kind = Dim::Kind::Many;
    if (text.consume_back("|1")) dim.kind = Dim::Kind::OneOr1;
    if (text.consume_front("(")) {
      auto [factor, name] = text.drop_back().split(' ');
      factor.getAsInteger(10, dim.factor);
      dim.name = indexOf(name);
    } else if (text.getAsInteger(10, dim.factor)) {
      dim.name = indexOf(text);
    }
    return dim;
  }

  int indexOf(llvm::StringRef name) {
    auto at = llvm::find(names, name);
    if (at != names.end()) return int(at - names.begin());
    names.push_back(name.str());
    return int(names.size()) - 1;
  }
};

/// Binds the names of one call to sizes, tensor by tensor.
class Matcher {
public:
  explicit Matcher(const Signature &signature) : one_(signature.names.size()), many_(signature.names.size()) {}

  bool fits(const Tensor &wanted, const TensorArg &given) {
    if (!hasType(wanted.type, given.dtype)) return false;
    if (wanted.isRepeated) return true;
    return wanted.countsElements ? fitsElements(wanted, given.elements()) : fitsDims(wanted.dims, given.shape);
  }

private:
  bool hasType(Signature::Type type, DType dtype) {
    switch (type) {
    case Signature::Type::Data:
      if (!data_) data_ = dtype;
      return dtype == *data_;
    case Signature::Type::F32:
      return dtype == DType::F32;
    case Signature::Type::I64:
      return dtype == DType::I64;
    case Signature::Type::Bool:
      return dtype == DType::Bool;
    case Signature::Type::Index:
      return dtype == DType::I64 || dtype == DType::I32;
    case Signature::Type::Any:
      return true;
    }
    return false;
  }

  bool fitsDims(llvm::ArrayRef<Dim> dims, llvm::ArrayRef<int64_t> shape) {
    for (; !dims.empty(); dims = dims.drop_front()) {
      size_t taken = 1;
      if (dims.front().kind == Dim::Kind::Many) {
        // One that is not known yet takes what the dimensions after it leave.
        std::optional<llvm::ArrayRef<int64_t>> &known = many_[size_t(dims.front().name)];
        if (!known && shape.size() + 1 < dims.size()) return false;
        if (!known) known = shape.drop_back(dims.size() - 1);
        taken = known->size();
        if (shape.size() < taken || shape.take_front(taken) != *known) return false;
      } else if (shape.empty() || !fitsDim(dims.front(), shape.front())) {
        return false;
      }
      shape = shape.drop_front(taken);
    }
    return shape.empty();
  }

  bool fitsDim(const Dim &dim, int64_t size) {
    if (dim.kind == Dim::Kind::OneOr1 && size == 1) return true;
    if (dim.name < 0) return size == dim.factor;
    if (size % dim.factor) return false;
    std::optional<int64_t> &known = one_[size_t(dim.name)];
    if (!known) known = size / dim.factor;
    return *known == size / dim.factor;
  }

  /// At most one name is new here: it takes what divides the elements.
  bool fitsElements(const Tensor &wanted, int64_t elements) {
    int64_t product = 1;
    std::optional<int64_t> *fresh = nullptr;
    for (const Dim &dim : wanted.dims) {
      product *= dim.factor;
      if (dim.name < 0) continue;
      if (dim.kind == Dim::Kind::Many) {
        assert(many_[size_t(dim.name)] && "dimensions that only their elements tell");
        for (int64_t size : *many_[size_t(dim.name)])
          product *= size;
      } else if (std::optional<int64_t> &known = one_[size_t(dim.name)]) {
        product *= *known;
      } else {
        assert(!fresh && "two sizes that only their product tells");
        fresh = &known;
      }
    }
    if (!fresh) return product == elements;
    if (product == 0 || elements % product) return false;
    *fresh = elements / product;
    return true;
  }

  std::optional<DType> data_;
  // By index of the name. Shapes are the call's own memory.
  llvm::SmallVector<std::optional<int64_t>, 8> one_;
  llvm::SmallVector<std::optional<llvm::ArrayRef<int64_t>>, 8> many_;
};

llvm::Error matchList(const KernelCall &call, Matcher &matcher, const std::vector<Tensor> &wanted,
                      const std::vector<TensorArg> &given, llvm::StringRef what) {
  for (size_t i = 0; i < given.size(); ++i) {
    const Tensor &tensor = wanted[std::min(i, wanted.size() - 1)];
    if (matcher.fits(tensor, given[i])) continue;
    return mistake(call, what + " " + llvm::Twine(i + 1) + " is " + textOf(given[i]) + ", which is not '" +
                             tensor.text + "' of its signature '" + findKernel(call.kernel)->signature + "'");
  }
  return llvm::Error::success();
}

} // namespace

Signature Signature::parse(llvm::StringRef text) {
  auto [operands, results] = text.split("->");
  Parser parser;
  Signature signature{parser.tensors(operands), parser.tensors(results), {}};
  signature.names = std::move(parser.names);
  return signature;
}

int Signature::fewestOperands() const {
  return int(llvm::count_if(operands, [](const Tensor &tensor) { return !tensor.isOptional; }));
}

int Signature::mostOperands() const {
  return llvm::any_of(operands, [](const Tensor &tensor) { return tensor.isRepeated; }) ? INT_MAX
                                                                                        : int(operands.size());
}

std::optional<DType> dataDType(const Signature &signature, const KernelCall &call) {
  for (auto [wanted, given] :
       {std::pair(&signature.operands, &call.args.operands), std::pair(&signature.results, &call.args.results)})
    for (size_t i = 0; i < std::min(wanted->size(), given->size()); ++i)
      if ((*wanted)[i].type == Signature::Type::Data) return (*given)[i].dtype;
  return std::nullopt;
}

llvm::Error checkCounts(const Signature &signature, const KernelCall &call) {
  const int operands = int(call.args.operands.size()), results = int(call.args.results.size());
  if (operands < signature.fewestOperands() || operands > signature.mostOperands() ||
      results != int(signature.results.size()))
    return mistake(call, "has " + llvm::Twine(operands) + " operands and " + llvm::Twine(results) +
                             " results, its signature is '" + findKernel(call.kernel)->signature + "'");
  return llvm::Error::success();
}

llvm::Error matchSignature(const Signature &signature, const KernelCall &call) {
  Matcher matcher(signature);
  if (llvm::Error error = matchList(call, matcher, signature.operands, call.args.operands, "operand")) return error;
  return matchList(call, matcher, signature.results, call.args.results, "result");
}

} // namespace autotp
