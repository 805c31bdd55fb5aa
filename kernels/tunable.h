// Problems of kernel families as a tuner sees them: collected while a computation is run dry, then computed alone, in
// every way there is, on memory of the tuner's own.
//
//   ProblemLog log;
//   plan_memory(net, options);             // every family that runs on this thread tells its problem
//   for (const auto& problem : log.problems()) …
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct KernelWay {
    std::string implementation, way;
    bool operator==(const KernelWay&) const = default;
    std::string text() const { return way.empty() ? implementation : implementation + " " + way; }
};

// Gives memory of so many bytes, aligned to 256, that holds numbers of this type.
using OperandMemory = std::function<void*(size_t bytes, DType dtype)>;

class TunableProblem {
 public:
    explicit TunableProblem(std::string text) : text_(std::move(text)) {}
    virtual ~TunableProblem() = default;
    const std::string& text() const { return text_; }
    // What supports the problem under the queue's choice of kernels: first what runs untuned.
    virtual std::vector<KernelWay> ways(Queue&) const = 0;
    // From here on it is computed on this memory.
    virtual void place(const OperandMemory& memory) = 0;
    virtual void run(Queue&, const KernelWay& way) const = 0;

 private:
    const std::string text_;
};

// While alive, collects the problems that families run on this thread, each once, in order.
class ProblemLog {
 public:
    ProblemLog();
    ~ProblemLog();
    ProblemLog(const ProblemLog&) = delete;
    ProblemLog& operator=(const ProblemLog&) = delete;

    static ProblemLog* current();
    bool has(const std::string& text) const;
    void add(std::unique_ptr<TunableProblem> problem) { problems_.push_back(std::move(problem)); }
    const std::vector<std::unique_ptr<TunableProblem>>& problems() const { return problems_; }

 private:
    std::vector<std::unique_ptr<TunableProblem>> problems_;
    ProblemLog* outer_;
};

// The view's elements in memory of their own, at the same distance from a multiple of 256 bytes: what a kernel is chosen
// by. An absent view stays absent.
void place(View& view, const OperandMemory& memory);
void place(void*& vector, int64_t count, DType dtype, const OperandMemory& memory);

// Of a view, what a choice may depend on: "16x64x64x256", with its pitch and its alignment where they are not dense and
// 16 bytes.
std::string text_of(const View& view);

}  // namespace atrous::kernels
