#include "compiler/certify/certify.h"

#include "compiler/certify/rules/collective_rules.h"
#include "compiler/ir/loss.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/check_world.h"

#include "llvm/ADT/StringExtras.h"

namespace autotp {
namespace {

/// All coordinates of one section in lock-step, from collective to collective.
class SectionWalk {
public:
  SectionWalk(Proof &proof, std::vector<std::unique_ptr<Coordinate>> &coordinates, int section)
      : proof_(proof), coordinates_(coordinates), section_(section), next_(coordinates.size(), 0) {}

  llvm::Error run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t c = 0; c < coordinates_.size(); ++c) {
        if (llvm::Error error = advance(c, moved)) return error;
        if (llvm::Error error = meet(c, moved)) return error;
      }
    }
    return llvm::Error::success(); // checkWorld has seen that nobody waits for ever
  }

private:
  const plan::Section &sectionOf(size_t c) const { return coordinates_[c]->program().sections(section_); }
  bool isDone(size_t c) const { return next_[c] == sectionOf(c).steps_size(); }
  const plan::Step &step(size_t c) const { return sectionOf(c).steps(next_[c]); }
  const plan::Group &group(size_t c) const {
    return coordinates_[c]->program().groups(int(step(c).collective().group()));
  }
  bool waitsForOthers(size_t c) const { return step(c).has_collective() && group(c).axis() != plan::DP; }

  llvm::Error advance(size_t c, bool &moved) {
    for (; !isDone(c) && !waitsForOthers(c); ++next_[c], moved = true)
      if (llvm::Error error = coordinates_[c]->execute(step(c))) return error;
    return llvm::Error::success();
  }

  /// The collective at which `c` waits, if all its members have come to it.
  llvm::Error meet(size_t c, bool &moved) {
    if (isDone(c)) return llvm::Error::success();
    const plan::Group &wanted = group(c);
    llvm::SmallVector<size_t, 8> all;
    for (uint32_t coordinate : wanted.coordinates())
      if (size_t member = wanted.axis() == plan::TP ? coordinate : coordinate % coordinates_.size();
          !llvm::is_contained(all, member))
        all.push_back(member);
    std::vector<Member> members;
    for (size_t m : all) {
      if (isDone(m) || !waitsForOthers(m) || group(m).axis() != wanted.axis() ||
          !llvm::equal(group(m).coordinates(), wanted.coordinates()))
        return llvm::Error::success();
      members.push_back({coordinates_[m].get(), &step(m)});
    }
    if (llvm::Error error = executeCollective(proof_, members, wanted)) return error;
    for (size_t m : all)
      ++next_[m];
    moved = true;
    return llvm::Error::success();
  }

  Proof &proof_;
  std::vector<std::unique_ptr<Coordinate>> &coordinates_;
  int section_;
  std::vector<int> next_;
};

llvm::Error checkSections(const Graph &graph, const plan::Program &program) {
  llvm::SmallVector<llvm::StringRef, 3> wanted = {"micro_step", "optimizer_step"};
  if (llvm::any_of(graph.outputs, [](const Output &output) { return isBatchStatistic(output.name); }))
    wanted.insert(wanted.begin(), "batch_statistics");
  auto nameOf = [](const plan::Section &section) { return llvm::StringRef(section.name()); };
  if (!llvm::equal(llvm::map_range(program.sections(), nameOf), wanted))
    return problem("program", "its sections are not " + llvm::join(wanted, ", "));
  return llvm::Error::success();
}

} // namespace

llvm::Expected<Certificate> certify(const Graph &graph, llvm::ArrayRef<const plan::Program *> byTp,
                                    const CertifyOptions &options) {
  if (int64_t(byTp.size()) != options.tp) return problem("plan", "it has not one program for each tp coordinate");
  Certificate certificate;
  for (const plan::Program *program : byTp) {
    if (llvm::Error error = checkProgram(*program, options.tp, options.dp)) return error;
    if (llvm::Error error = checkSections(graph, *program)) return error;
    for (const plan::Section &section : program->sections())
      certificate.steps += section.steps_size();
    ++certificate.programs;
  }
  if (llvm::Error error = checkWorld(byTp)) return error;
  Proof proof(graph, options);
  std::vector<std::unique_ptr<Coordinate>> coordinates;
  for (auto [c, program] : indexed(byTp)) {
    coordinates.push_back(std::make_unique<Coordinate>(proof, *program, int64_t(c)));
    if (llvm::Error error = coordinates.back()->begin())
      return placed("tp coordinate " + std::to_string(c), std::move(error));
  }
  for (int section = 0; section < byTp[0]->sections_size(); ++section) {
    for (auto &coordinate : coordinates)
      if (llvm::Error error = coordinate->enter(coordinate->program().sections(section))) return error;
    if (llvm::Error error = SectionWalk(proof, coordinates, section).run()) return error;
    for (auto &coordinate : coordinates)
      if (llvm::Error error = coordinate->leave(coordinate->program().sections(section))) return error;
  }
  for (auto &coordinate : coordinates)
    if (llvm::Error error = coordinate->finish()) return error;
  return certificate;
}

} // namespace autotp
