// Chooses what runs next. Streams, and the nodes of graphs, go in any order that their dependencies allow.
#include "tests/cuda_emulation/state.h"

#include <algorithm>

namespace emulation {
namespace {

struct Candidate {
  Place place;
  std::vector<Collective *> together; // not empty: all of these run
};

Item &itemAt(const Place &place) { return place.stream->queue.front(); }

const Work &workAt(const Place &place) {
  const Item &item = itemAt(place);
  return place.node < 0 ? item.work : item.work.graph->nodes[place.node].work;
}

Collective *collectiveAt(const Place &place) {
  const Item &item = itemAt(place);
  return place.node < 0 ? item.work.collective.get() : item.graphRun->collectives[place.node].get();
}

/// Everything whose dependencies have run.
std::vector<Place> placesReady(State &state) {
  std::vector<Place> places;
  for (auto &stream : state.streams) {
    if (stream->queue.empty() || stream->busy) continue;
    const Item &head = stream->queue.front();
    auto isDone = [](const CompletionPtr &wait) { return wait->done; };
    if (!std::all_of(head.waits.begin(), head.waits.end(), isDone)) continue;
    if (head.graphRun && head.graphRun->left > 0)
      for (int node : head.graphRun->ready)
        places.push_back({stream.get(), node});
    else
      places.push_back({stream.get(), -1});
  }
  return places;
}

std::vector<Candidate> candidates(State &state, std::string &failure) {
  std::vector<Place> places = placesReady(state);
  for (const Place &place : places)
    if (Collective *part = collectiveAt(place)) {
      part->atHead = true;
      part->place = place;
    }
  std::vector<Candidate> found;
  for (const Place &place : places) {
    Collective *part = collectiveAt(place);
    if (!part) {
      found.push_back({place, {}});
      continue;
    }
    std::vector<Collective *> together = part->together(failure);
    if (!failure.empty()) break;
    if (!together.empty() && together.front() == part) found.push_back({place, std::move(together)});
  }
  return found;
}

void complete(CUstream_st *stream) {
  Item &item = stream->queue.front();
  item.done->done = true;
  item.done->at = std::chrono::steady_clock::now();
  stream->queue.pop_front();
}

void finish(const Place &place) {
  if (place.node < 0) return complete(place.stream);
  Item &item = itemAt(place);
  GraphRun &run = *item.graphRun;
  for (size_t i = place.node + 1; i < run.missing.size(); ++i) {
    const std::vector<int> &dependencies = item.work.graph->nodes[i].dependencies;
    if (std::find(dependencies.begin(), dependencies.end(), place.node) == dependencies.end()) continue;
    if (--run.missing[i] == 0) run.ready.push_back(int(i));
  }
  if (--run.left == 0) complete(place.stream);
}

void leaveReady(const Place &place) {
  if (place.node >= 0) std::erase(itemAt(place).graphRun->ready, place.node);
}

std::string run(State &, Lock &lock, const Candidate &chosen) {
  if (!chosen.together.empty()) {
    std::vector<Place> places;
    for (Collective *part : chosen.together)
      places.push_back(part->place);
    chosen.together.front()->run(chosen.together);
    for (const Place &place : places) {
      leaveReady(place);
      finish(place);
    }
    return {};
  }
  leaveReady(chosen.place);
  const Work &work = workAt(chosen.place);
  std::string failure;
  if (work.outsideLock) {
    chosen.place.stream->busy = true;
    lock.unlock();
    failure = work.run();
    lock.lock();
    chosen.place.stream->busy = false;
  } else if (work.run) {
    failure = work.run();
  }
  finish(chosen.place);
  return failure;
}

/// Host threads whose next calls could make a waiting collective ready, and what waits for them.
std::set<std::thread::id> awaitedThreads(State &state, std::string &waiting) {
  std::set<std::thread::id> threads;
  for (const Place &place : placesReady(state))
    if (Collective *part = collectiveAt(place)) {
      waiting += "\n  " + part->describe();
      for (std::thread::id thread : part->awaited())
        threads.insert(thread);
    }
  return threads;
}

/// Whether some thread that is not itself blocked could still help; `waiting` tells what is stuck.
bool helpMayCome(State &state, std::string &waiting) {
  for (auto &stream : state.streams)
    if (stream->busy) return true;
  std::set<std::thread::id> awaited = awaitedThreads(state, waiting);
  return std::any_of(awaited.begin(), awaited.end(), [&](std::thread::id thread) {
    auto blocked = state.blockedThreads.find(thread);
    return blocked == state.blockedThreads.end() || (*blocked->second)(); // what it waits for may just have come
  });
}

} // namespace

bool runOne(State &state, Lock &lock) {
  std::erase_if(state.streams, [](const auto &stream) { return stream->destroyed && stream->queue.empty(); });
  std::string failure;
  std::vector<Candidate> found = candidates(state, failure);
  if (failure.empty() && found.empty()) return false;
  if (failure.empty()) failure = run(state, lock, found[state.random.below(found.size())]);
  if (!failure.empty()) fail(state, failure);
  state.progress = std::chrono::steady_clock::now();
  state.changed.notify_all();
  return true;
}

cudaError_t runUntil(State &state, Lock &lock, const std::function<bool()> &done, const std::string &what) {
  state.progress = std::chrono::steady_clock::now();
  while (!done()) {
    if (state.sticky != cudaSuccess) return state.sticky;
    if (runOne(state, lock)) continue;
    state.blockedThreads[std::this_thread::get_id()] = &done;
    std::string waiting;
    std::chrono::duration<double> quiet = std::chrono::steady_clock::now() - state.progress;
    bool late = quiet.count() > state.machine.deadlockSeconds;
    if (late || !helpMayCome(state, waiting))
      fail(state, what + " can never end: nothing that is queued is ready" + waiting);
    else
      state.changed.wait_for(lock, std::chrono::milliseconds(200));
    state.blockedThreads.erase(std::this_thread::get_id());
  }
  return state.sticky;
}

cudaError_t drain(State &state, Lock &lock, int device) {
  auto idle = [&] {
    return std::all_of(state.streams.begin(), state.streams.end(), [&](const auto &stream) {
      return isIdle(*stream) || (device >= 0 && stream->device != device);
    });
  };
  return runUntil(state, lock, idle, "a wait for the whole device");
}

} // namespace emulation
