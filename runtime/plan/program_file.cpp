#include "runtime/plan/program_file.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/input_file.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/dtype.h"

#include "llvm/Support/Endian.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

namespace autotp {
namespace {

constexpr llvm::StringLiteral kMagic = "autotp-p";
constexpr size_t kHeader = kMagic.size() + sizeof(uint64_t);

/// Takes the message from the front of a file; empty if there is none.
llvm::StringRef takeMessage(llvm::StringRef &file) {
  if (file.size() < kHeader || !file.startswith(kMagic)) return "";
  const uint64_t size = llvm::support::endian::read64le(file.data() + kMagic.size());
  file = file.drop_front(kHeader);
  if (size > file.size() || size > INT32_MAX) return "";
  const llvm::StringRef message = file.take_front(size);
  file = file.drop_front(size);
  return message;
}

/// Gives each constant its bytes, which must be all of `data`.
bool fillConstants(plan::Program &program, llvm::StringRef data) {
  for (plan::Constant &constant : *program.mutable_constants()) {
    const plan::TensorRef &ref = constant.tensor();
    const int64_t elements = elementsOf(ref);
    const size_t size = ref.dtype() <= 255 ? sizeOf(DType(ref.dtype())) : 0;
    if (elements < 0 || size == 0 || uint64_t(elements) > data.size() / size) return false;
    const llvm::StringRef own = data.take_front(size_t(elements) * size);
    constant.set_data(own.data(), own.size());
    data = data.drop_front(own.size());
  }
  return data.empty();
}

} // namespace

std::string messageOf(const plan::Program &program) {
  plan::Program copy = program;
  for (plan::Constant &constant : *copy.mutable_constants())
    constant.clear_data();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    copy.SerializeToCodedStream(&coded);
  }
  return bytes;
}

void writeProgram(llvm::raw_ostream &os, const plan::Program &program, llvm::StringRef message) {
  char length[sizeof(uint64_t)];
  llvm::support::endian::write64le(length, message.size());
  os << kMagic;
  os.write(length, sizeof length) << message;
  for (const plan::Constant &constant : program.constants())
    os << constant.data();
}

llvm::Expected<plan::Program> readProgram(llvm::StringRef path, llvm::StringRef digest, int64_t tp, int64_t dp) {
  auto file = mapFile(path, path, "compile the plan again");
  if (!file) return file.takeError();
  llvm::StringRef bytes = (*file)->getBuffer();
  if (digestOf(bytes) != digest)
    return problem(path, "it is not the file that the manifest describes: truncated or edited",
                   "compile the plan again");
  const llvm::StringRef message = takeMessage(bytes);
  plan::Program program;
  const google::protobuf::LogSilencer silence; // the error below says it
  if (message.empty() || !program.ParseFromArray(message.data(), int(message.size())) || !fillConstants(program, bytes))
    return problem(path, "it is no program of a plan", "compile the plan again");
  if (llvm::Error error = checkProgram(program, tp, dp)) return error;
  return program;
}

} // namespace autotp
