// Records the launches of kernels/gpu/trace.h. Each thread's events wait until the lanes of its warp meet; then they
// are put together into instructions of the warp, which are counted, and kept where their block was chosen.
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "kernels/gpu/emu/internal.h"
#include "kernels/gpu/emu/requests.h"
#include "kernels/gpu/trace.h"

namespace atrous::gpu::emu {

class Recorder {
 public:
    Recorder(const std::vector<TraceBuffer>& named, const TraceOptions& options);

    // ---- what the emulator tells; `site` as in diagnostics ----
    void start_launch(const Launch& l);
    void finish_launch();
    void start_block(uint64_t block);
    void finish_block() { meet_all(); }
    void access(uintptr_t a, size_t bytes, unsigned access, uint32_t site);  // by an instruction of the running thread
    void note(TraceKind kind, uint32_t site, uintptr_t address = 0, uint32_t bytes = 0, uint32_t extra = 0);
    void meet(unsigned warp);
    void meet_all();
    void block_barrier(uint32_t site);
    void keep_fragments(TraceFragments&& f);  // of the mma that the warp meets in now
    uint32_t product(const TraceProduct& p);  // what a wgmma's event has as extra
    uint32_t box(const EncodedMap& map, const int* at);
    bool keeps_fragments() const { return kept_ && trace_.fragments.size() < options_.most_fragments; }

    Trace finish();  // with the places of sites

 private:
    struct Event {
        uintptr_t address;
        uint32_t site, bytes, extra;
        TraceKind kind;
    };
    struct Request {  // an instruction of a warp in the making
        uint32_t site = 0, mask = 0;
        TraceKind kind{};
        uint32_t next = 0;
        std::array<uint32_t, 32> event{};
    };
    using Lanes = std::array<std::vector<Event>, 32>;
    struct Pairing {  // by site, while a warp's events are put together
        uint32_t round = 0, executions = 0;
        std::vector<uint32_t> requests;  // the k-th execution's
        uint32_t of_round = 0;
    };

    uint32_t site_index(uint32_t site);
    void pair_lane(const std::vector<Event>& events, unsigned lane);
    void finish_request(unsigned warp, const Request& r, const Lanes& lanes);
    void count(KernelCounters& c, const Request& r, const std::vector<LaneAccess>& at, uint32_t zero_filled);
    void touch(uintptr_t a, size_t bytes);
    void keep(unsigned warp, const Request& r, const std::vector<LaneAccess>& at, uint32_t extra);
    uint32_t pattern(std::vector<int32_t> offsets);
    int32_t buffer_of(uintptr_t a);
    int32_t add_buffer(TraceBuffer b);
    void rebase_statics();

    TraceOptions options_;
    Trace trace_;
    TraceLaunch* launch_ = nullptr;
    std::vector<uint64_t> chosen_;  // blocks of this launch
    TraceBlock* kept_ = nullptr;    // the running one, if it is chosen
    size_t rows_ = 0;
    std::vector<Lanes> warps_;
    uint32_t latest_fragments_ = 0;

    std::unordered_map<uint32_t, uint32_t> site_of_;
    std::vector<uint32_t> site_ids_;
    std::vector<Pairing> pairings_;
    std::vector<Request> requests_;
    uint32_t round_ = 0;

    std::map<uintptr_t, int32_t> buffers_;  // global ones, by address
    int32_t recent_buffer_ = -1, dynamic_ = -1, statics_ = -1;
    uint64_t static_bytes_ = 0;
    std::vector<std::vector<bool>> touched_;
    std::map<std::vector<int32_t>, uint32_t> patterns_;
    std::map<std::string, uint32_t> products_;
};

extern Recorder* recorder;  // null: nothing is recorded
extern bool hooked;         // some kernel of this program was compiled with the recorder's hooks

// The site of an instruction's other side: cp.async reads and writes.
constexpr uint32_t second_side = 0x40000000u;
constexpr uint32_t second_site(uint32_t site) { return site | second_side; }

std::vector<TraceSite> places_of(const std::vector<uint32_t>& sites);  // files by their paths in the project
std::map<std::string, std::string> sources_of(const std::vector<TraceSite>& sites);
std::string kernel_name(const void* kernel);  // without the parts of its name that all have

}  // namespace atrous::gpu::emu
