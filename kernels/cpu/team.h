// Threads that share the pieces of one loop. Whoever is awake takes the next piece, the calling thread first of all: a
// thread that sleeps, or that another program keeps from its core, is not waited for unless it holds a piece. Waiting
// threads spin for up to forty microseconds where that has been enough of late, and else, or where OMP_WAIT_POLICY says
// passive, sleep at once (spinner.h).
#pragma once

#include <cstdint>
#include <memory>

namespace atrous::kernels::cpu {

// Every thread that runs loops has a team of its own, whose workers are made as they are needed and end with it: the
// thread's end, and the process's on its main thread, waits for them. Workers may run on every core that the process was
// given, also where OMP_PROC_BIND holds the calling thread to one. A process that comes of fork() makes its own.
class Team {
 public:
    Team();
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    using Piece = void (*)(void* context, int64_t piece, int thread);
    // f(context, piece, thread) for all pieces below `pieces`, by at most `threads` threads, numbered from 0: fewer where
    // the system gives no more. Within a piece of another loop the calling thread does them all, as thread 0. The first
    // exception out of a piece is thrown here, once all pieces that were begun have ended; the others are not begun.
    static void run(int threads, int64_t pieces, Piece f, void* context);

 private:
    struct Shared;
    void run_loop(int threads, int64_t pieces, Piece f, void* context);
    bool forked() const;
    void abandon_workers();
    std::unique_ptr<Shared> shared_;
    uint32_t forks_;
};

// f(piece, thread), as above.
template <class F>
void share_pieces(int threads, int64_t pieces, F f) {
    if (threads <= 1 || pieces <= 1) {
        for (int64_t piece = 0; piece < pieces; ++piece) f(piece, 0);
        return;
    }
    Team::run(
        threads, pieces, [](void* context, int64_t piece, int thread) { (*static_cast<F*>(context))(piece, thread); },
        &f);
}

}  // namespace atrous::kernels::cpu
