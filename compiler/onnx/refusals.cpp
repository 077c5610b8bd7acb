// compiler/onnx/refusals.cpp: operators of ONNX that are refused, with the reasons for messages and docs/operators.md.
#include "compiler/onnx/import_table.h"

namespace autotp {
namespace {

constexpr llvm::StringLiteral kText = "it works on text",
                              kRandom = "its values are drawn at random, and no key is bound",
                              kQuantised = "it computes with quantised integers, which have no gradient",
                              kBySize = "the size of its result depends on values",
                              kClassic = "it is of classic machine learning: trees, tables and maps",
                              kSampled = "it samples images at computed places: no kernel does",
                              kInverse = "inverse trigonometric functions have no kernel",
                              kSignal = "complex numbers are no element type here";

const RefusalDef kRefusals[] = {
    {"", "Acos", kInverse},
    {"", "Asin", kInverse},
    {"", "Atan", kInverse},
    {"", "BitCast", "it reads a number's bytes as another type"},
    {"", "Col2Im", "it adds overlapping blocks: ConvTranspose says the same with weights"},
    {"", "ConvInteger", kQuantised},
    {"", "DFT", kSignal},
    {"", "DeformConv", kSampled},
    {"", "DequantizeLinear", kQuantised},
    {"", "Det", "determinants have no kernel"},
    {"", "GridSample", kSampled},
    {"", "ImageDecoder", "it decodes files: feed the images"},
    {"", "MatMulInteger", kQuantised},
    {"", "MaxRoiPool", kSampled},
    {"", "MelWeightMatrix", "it is a constant: write it as one"},
    {"", "Multinomial", kRandom},
    {"", "NonMaxSuppression", kBySize},
    {"", "QLinearConv", kQuantised},
    {"", "QLinearMatMul", kQuantised},
    {"", "QuantizeLinear", kQuantised},
    {"", "RandomNormal", kRandom},
    {"", "RandomNormalLike", kRandom},
    {"", "RandomUniform", kRandom},
    {"", "RandomUniformLike", kRandom},
    {"", "RegexFullMatch", kText},
    {"", "RoiAlign", kSampled},
    {"", "STFT", kSignal},
    {"", "StringConcat", kText},
    {"", "StringNormalizer", kText},
    {"", "StringSplit", kText},
    {"", "TensorScatter", "it writes into a cache of earlier calls, which training has none of"},
    {"", "TfIdfVectorizer", kText},
    {"", "Upsample", "it was replaced by Resize in opset 10"},
    {"ai.onnx.ml", "ArrayFeatureExtractor", kClassic},
    {"ai.onnx.ml", "Binarizer", kClassic},
    {"ai.onnx.ml", "CastMap", kClassic},
    {"ai.onnx.ml", "CategoryMapper", kClassic},
    {"ai.onnx.ml", "DictVectorizer", kClassic},
    {"ai.onnx.ml", "FeatureVectorizer", kClassic},
    {"ai.onnx.ml", "Imputer", kClassic},
    {"ai.onnx.ml", "LabelEncoder", kClassic},
    {"ai.onnx.ml", "LinearClassifier", kClassic},
    {"ai.onnx.ml", "LinearRegressor", kClassic},
    {"ai.onnx.ml", "Normalizer", kClassic},
    {"ai.onnx.ml", "OneHotEncoder", kClassic},
    {"ai.onnx.ml", "SVMClassifier", kClassic},
    {"ai.onnx.ml", "SVMRegressor", kClassic},
    {"ai.onnx.ml", "Scaler", kClassic},
    {"ai.onnx.ml", "TreeEnsemble", kClassic},
    {"ai.onnx.ml", "TreeEnsembleClassifier", kClassic},
    {"ai.onnx.ml", "TreeEnsembleRegressor", kClassic},
    {"ai.onnx.ml", "ZipMap", kClassic},
};

} // namespace

llvm::ArrayRef<RefusalDef> allRefusals() { return kRefusals; }

llvm::StringRef whyRefused(llvm::StringRef domain, llvm::StringRef name) {
  for (const RefusalDef &row : kRefusals)
    if (domain == row.domain && name == row.name) return row.why;
  return "";
}

} // namespace autotp
