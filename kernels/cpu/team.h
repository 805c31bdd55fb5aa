// Threads that share the pieces of one loop. Whoever is awake takes the next piece, the calling thread first of all: a
// thread that sleeps, or that another program keeps from its core, is not waited for unless it holds a piece. Waiting
// threads spin for some ten microseconds where that has been enough of late, and else sleep at once.
#pragma once

#include <cstdint>
#include <memory>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace atrous::kernels::cpu {

class Team {
 public:
    Team();
    ~Team();
    static Team& of_this_thread();

    using Piece = void (*)(void* context, int64_t piece, int thread);
    // f(context, piece, thread) for all pieces below `pieces`, by at most `threads` threads, numbered from 0. Within a
    // piece of another loop the calling thread does them all, as thread 0.
    void run(int threads, int64_t pieces, Piece f, void* context);

 private:
    struct Shared;
    static void work(std::shared_ptr<Shared> shared);
    std::shared_ptr<Shared> shared_;
    int workers_ = 0;
};

// f(piece, thread), as above. With AVX-512 oneDNN computes most convolutions, on OpenMP's threads; a second set of threads
// would take the cores from them, so all loops are OpenMP's there.
template <class F>
void share_pieces(int threads, int64_t pieces, F f) {
    if (threads <= 1 || pieces <= 1) {
        for (int64_t piece = 0; piece < pieces; ++piece) f(piece, 0);
        return;
    }
#if defined(__AVX512F__) && defined(_OPENMP)
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t piece = 0; piece < pieces; ++piece) f(piece, omp_get_thread_num());
#else
    Team::of_this_thread().run(
        threads, pieces, [](void* context, int64_t piece, int thread) { (*static_cast<F*>(context))(piece, thread); },
        &f);
#endif
}

}  // namespace atrous::kernels::cpu
