/// \file One tp coordinate's program, executed on symbols step by step.
#pragma once

#include "compiler/certify/contents/arena_map.h"
#include "compiler/certify/proof.h"

#include <map>

namespace autotp {

uint64_t bytesOf(const plan::TensorRef &ref);

/// Stands for all dp ranks of a coordinate.
class Coordinate {
public:
  Coordinate(Proof &proof, const plan::Program &program, int64_t number)
      : proof_(proof), program_(program), number_(number) {}

  const plan::Program &program() const { return program_; }
  int64_t number() const { return number_; }

  /// What the arena holds when a step begins: parameters, constants, states, sums.
  llvm::Error begin();
  /// The runtime writes a section's inputs before it runs it.
  llvm::Error enter(const plan::Section &section);
  /// The next micro-step must find the parameters as this one did.
  llvm::Error leave(const plan::Section &section);
  /// A kernel, or a collective over dp.
  llvm::Error execute(const plan::Step &step);
  /// What must hold when a step has ended: parameters updated and in place, constants and states kept, outputs.
  llvm::Error finish();

  /// A flat operand: an image of `elements`; of it, where it is sliced, the dp_rank-th part.
  struct Flat {
    std::vector<Piece> image;
    bool isSliced = false;
  };
  /// What one dp rank has of it.
  std::vector<Piece> ofRank(const Flat &flat, int64_t rank) const;
  // For the rules of collectives over tp and over all ranks. Errors name the step.
  llvm::Expected<Flat> flat(const plan::TensorRef &ref);
  llvm::Error writeFlat(const plan::TensorRef &ref, const Flat &flat);
  llvm::Expected<const Content *> tensor(const plan::TensorRef &ref); ///< null: no elements
  llvm::Expected<std::vector<Piece>> pieces(const plan::TensorRef &ref);
  /// Of what is no bucket's each dp rank has the same: a slice is not known afterwards.
  void write(const plan::TensorRef &ref, llvm::ArrayRef<Piece> pieces);
  /// Bytes [begin, begin + bytes) of pieces that follow each other.
  static std::vector<Piece> sub(llvm::ArrayRef<Piece> pieces, uint64_t begin, uint64_t bytes);
  /// Places an error at the step.
  llvm::Error at(const plan::Step &step, llvm::Error error) const;

private:
  std::optional<ByteRange> rangeOf(const plan::TensorRef &ref) const;
  llvm::Error checkOverlaps(const plan::Step &step) const;
  llvm::Error checkOverlap(const plan::Collective &collective) const;
  uint64_t placeInGroup(const plan::Collective &collective, const ByteRange &whole, const ByteRange &part) const;
  bool mayShare(const plan::KernelCall &call, int result, int operand) const;

  std::optional<Lists> coversOf(const plan::Parameter &parameter);
  llvm::Error checkDeclared(const plan::Parameter &parameter);
  /// Which of its values a bucket's tensor holds.
  using RootOf = RootId Proof::Parameter::*;
  const Content *initial(const plan::Parameter &parameter, RootOf root);
  llvm::Error placeBucket(int number, const plan::TensorRef &ref, RootOf root);
  /// A run of a flat image, and which elements of its bucket it is.
  struct Window {
    int64_t inImage, inBucket, elements;
  };
  std::vector<Window> windowsOf(const plan::Bucket &bucket, const plan::TensorRef &ref) const;
  /// Elements [begin, end) of a parameter, where a flat tensor of its bucket has them.
  struct Run {
    int64_t begin, end;
    std::vector<Piece> pieces;
  };
  std::optional<std::vector<Run>> runsOf(const Flat &flat, const plan::TensorRef &ref,
                                         const plan::Parameter &parameter) const;
  bool isGradientIn(const Flat &flat, const plan::TensorRef &ref, const plan::Parameter &parameter, std::string &why);
  void findBucketsInParts();
  void joinGradients(const plan::TensorRef &ref);
  bool joinBucket(int number, uint64_t begin);
  /// All that a flat tensor of a parameter's bucket has of its place is a part of this content.
  /// What buckets hold while nothing is executed: read once for all of their parameters.
  struct HeldFlats {
    llvm::Expected<const Flat *> of(const plan::TensorRef &ref);
    Coordinate &coordinate;
    std::map<const plan::TensorRef *, Flat> flats = {}; // looked up only
  };
  llvm::Error checkHolds(const plan::Parameter &parameter, const plan::TensorRef &ref, const Content *wanted,
                         HeldFlats &flats);
  llvm::Error placeInput(const plan::Input &input);
  llvm::Error placeStates();
  llvm::Error checkStates();
  /// What batch_statistics has summed is a value of the graph to micro_step, and stays where it is.
  llvm::Error placeStatistics();
  llvm::Error checkKept() const;
  llvm::Error checkParameter(const plan::Parameter &parameter, HeldFlats &held);
  llvm::Error checkOutput(const plan::Output &output);

  llvm::Error executeKernel(const plan::KernelCall &call);
  llvm::Error operatorCall(const plan::KernelCall &call);
  /// What the results of an operator of the graph, or of a move, hold.
  llvm::Expected<std::vector<const Content *>> computed(const plan::KernelCall &call,
                                                        llvm::ArrayRef<OperandRead> reads);
  static llvm::Error checkMovedShapes(const plan::KernelCall &call, int64_t axis);
  llvm::Error moveBytes(const plan::KernelCall &call, int64_t axis);
  /// Moves, and zeros that stand for a sum of which this coordinate has nothing.
  const Content *moved(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads);
  bool isZeroResult(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads) const;
  llvm::Error accumulate(const plan::KernelCall &call);
  llvm::Error sumSquares(const plan::KernelCall &call);
  llvm::Error countGradients(const plan::KernelCall &call, const Flat &gradients, Content &squares);
  llvm::Error gradScale(const plan::KernelCall &call);
  /// Of calls on scalars of a step that are no values of the graph.
  using ScalarRule = llvm::Error (Coordinate::*)(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads);
  static ScalarRule scalarRule(KernelId kernel, llvm::ArrayRef<OperandRead> reads);
  llvm::Error addSquares(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads);
  llvm::Error meanLoss(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads);
  llvm::Error scheduleCall(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads);
  void writeScalar(const plan::TensorRef &ref, Content content);
  llvm::Error update(const plan::KernelCall &call);
  llvm::Error checkRule(const plan::KernelCall &call, const UpdateRule &rule);
  llvm::Error updateState(const plan::KernelCall &call, int k, std::optional<float> initial);
  llvm::Error updateImage(const plan::KernelCall &call, const Flat &parameters, const Flat &gradients,
                          std::vector<Piece> &updated, const UpdateRule *&rule);
  llvm::Expected<Piece> updatedPiece(const Piece &parameter, const Piece &gradient);
  llvm::Error checkDecay(llvm::ArrayRef<Interval> decays, const Piece &piece, int64_t begin, int64_t end) const;
  static llvm::Error checkDType(const plan::TensorRef &ref, llvm::ArrayRef<Piece> pieces);
  bool isMaster(const plan::TensorRef &ref) const;
  llvm::Error roundMasters(const plan::KernelCall &call);

  // The loss scale (loss_scale_rules.cpp).
  llvm::Error placeLossScale(const plan::State &state);
  llvm::Error scaleDivisor(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads);
  llvm::Error decideStep(const plan::KernelCall &call);
  llvm::Error askWhetherSkipped(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads);
  llvm::Error keepWhereSkipped(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads);
  llvm::Error checkLossScale();
  void keepLossScale(Content scale, Content counts);
  bool isLossScale(const plan::TensorRef &ref);

  llvm::Error collectiveOverDp(const plan::Collective &collective);

  Proof &proof_;
  const plan::Program &program_;
  int64_t number_;
  std::string section_;
  ArenaMap arena_;
  std::vector<Moves::Hint> hints_;
  std::vector<std::pair<ByteRange, const Content *>> kept_;   ///< constants, states: what must be there at the end
  std::vector<std::pair<const plan::State *, bool>> initial_; ///< states of updates, and whether one was found for each
  const plan::State *lossScale_ = nullptr;
  std::vector<int> bucketsInParts_;                ///< that may hold a gradient in several pieces
  std::array<const Content *, 2> scaleState_ = {}; ///< the scale, and its counts
};

} // namespace autotp
