// A kernel family: the implementations of one contract function on one device, in order of preference. The problem, the
// list, the queue's KernelChoice and what was tuned before (kernels/tuned_kernels.h) alone decide which of them runs, so
// that on one machine every run, and every dry run of one, takes the same.
//
//     KernelFamily<ConvForwardArgs>& conv_forward_family() {
//         static KernelFamily<ConvForwardArgs> family("conv_forward", "cpu", {forward_by_dnnl(), forward_by_im2col()});
//         return family;
//     }
//     void conv_forward(Queue& q, const ConvForwardArgs& a) {
//         check(a);
//         conv_forward_family().run(q, a);
//     }
//
// The last of a family's own list supports every problem of the contract. What an implementation takes of the queue's
// scratch memory is its workspace; a dry run says how much that is.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/queue.h"
#include "kernels/tunable.h"
#include "kernels/tuned_kernels.h"

namespace atrous::kernels {

template <class Problem>
struct Implementation {
    std::string name;              // also how its variants begin in the log: "mma" of "conv_forward/mma_bf16"
    std::string provider = "own";  // or the library that computes it
    std::string needs = "";        // in words, beside what every implementation needs: "16-bit elements, …"
    // One line where this process can compute nothing by it, such as for want of its library; null or empty: it can.
    std::string (*why_absent)() = nullptr;
    // Whether it can compute this; absent: always. Takes no scratch memory, follows no pointer of a dry run.
    bool (*supports)(Queue&, const Problem&) = nullptr;
    // Of what it supports, where it was measured or counted to be faster than those behind it; absent: everywhere. Elsewhere
    // it runs where it is asked for by name.
    bool (*faster)(Queue&, const Problem&) = nullptr;
    void (*run)(Queue&, const Problem&) = nullptr;
    // Where there are several ways to compute a problem, such as a library's plans: their names, which mean the same in
    // every run with the same library, most wanted first; and whether there is one of a name. `run` and `supports` take
    // the one that Queue::way() names.
    std::vector<std::string> (*ways)(Queue&, const Problem&) = nullptr;
    bool (*has_way)(Queue&, const Problem&, const std::string& way) = nullptr;
};

// A problem that can be tuned has a text that names everything a choice may depend on, and can be placed elsewhere.
template <class Problem>
concept Tunable = requires(Problem& p, MathMode math, const OperandMemory& memory) {
    problem_text(p, math);
    place_problem(p, memory);
};

// A family as lists show it.
struct FamilyInfo {
    struct Member {
        std::string name, provider, needs;
        std::string (*why_absent)();
        std::string absent() const { return why_absent ? why_absent() : ""; }  // loads the library; empty: it is there
    };
    std::string function, device;  // "conv_forward"; cpu or gpu
    std::vector<Member> members;
};

template <class Problem>
class KernelFamily {
 public:
    KernelFamily(std::string function, std::string device, std::vector<Implementation<Problem>> list)
        : function_(std::move(function)), device_(std::move(device)), list_(std::move(list)) {}

    void run(Queue& q, const Problem& problem) const {
        if (ProblemLog* const log = ProblemLog::current()) note(*log, q, problem);
        choose(q, problem).run(q, problem);
    }

    // Sets the queue's way too.
    const Implementation<Problem>& choose(Queue& q, const Problem& problem) const {
        if (q.tuned())
            if (const auto* const tuned = choose_tuned(q, problem)) return *tuned;
        q.set_way("");
        const KernelChoice& choice = q.kernels();
        for (const auto& i : list_)
            if (choice.rule == KernelChoice::Rule::named && i.name == choice.name && supports(i, q, problem)) return i;
        for (const auto& i : list_)
            if (allows(choice, i) && supports(i, q, problem) && (!i.faster || i.faster(q, problem))) return i;
        throw Error(function_ + " on the " + device_ + ": no implementation supports this problem");
    }

    // As a tuner sees them (kernels/tunable.h): "conv_forward bf16 x 16x64x64x256 …"; every way under the queue's choice,
    // first the one that runs untuned; and one of them.
    std::string text(const Queue& q, const Problem& problem) const {
        return function_ + " " + problem_text(problem, q.math());
    }
    std::vector<KernelWay> ways(Queue& q, const Problem& problem) const {
        const std::string first = choose(q, problem).name;
        std::vector<KernelWay> all;
        for (const bool is_first : {true, false})
            for (const auto& i : list_) {
                if ((i.name == first) != is_first || !allows(q.kernels(), i) || !supports(i, q, problem)) continue;
                const auto names = i.ways ? i.ways(q, problem) : std::vector<std::string>{""};
                for (const std::string& name : names) all.push_back({i.name, name});
            }
        return all;
    }
    void run_by(Queue& q, const KernelWay& way, const Problem& problem) const {
        for (const auto& i : list_)
            if (i.name == way.implementation) {
                q.set_way(way.way);
                return i.run(q, problem);
            }
        throw Error(function_ + " on the " + device_ + ": there is no implementation '" + way.implementation + "'");
    }

    // Before anything runs: in front of the one that is named, or behind all, where it runs by name alone. Error where
    // it has no name, one that is taken, or nothing to run.
    void add(Implementation<Problem> added, const std::string& in_front_of = "") {
        const std::string what = function_ + " on the " + device_ + ": implementation '" + added.name + "' ";
        if (added.name.empty() || added.name == "auto" || added.name == "own" || !added.run || has(added.name))
            throw Error(what + "is described twice, or has no name of its own or nothing to run");
        if (!in_front_of.empty() && !has(in_front_of))
            throw Error(what + "is to stand in front of '" + in_front_of + "', which there is not");
        list_.insert(in_front_of.empty() ? list_.end() : at(in_front_of), std::move(added));
    }

    FamilyInfo info() const {
        FamilyInfo all{function_, device_, {}};
        for (const auto& i : list_) all.members.push_back({i.name, i.provider, i.needs, i.why_absent});
        return all;
    }

 private:
    class Noted : public TunableProblem {
     public:
        Noted(const KernelFamily& family, std::string text, const Problem& problem)
            : TunableProblem(std::move(text)), family_(family), problem_(problem) {}
        std::vector<KernelWay> ways(Queue& q) const override { return family_.ways(q, problem_); }
        void place(const OperandMemory& memory) override { place_problem(problem_, memory); }
        void run(Queue& q, const KernelWay& way) const override { family_.run_by(q, way, problem_); }

     private:
        const KernelFamily& family_;
        Problem problem_;
    };

    void note(ProblemLog& log, const Queue& q, const Problem& problem) const {
        if constexpr (Tunable<Problem>)
            if (std::string name = text(q, problem); !log.has(name))
                log.add(std::make_unique<Noted>(*this, std::move(name), problem));
    }
    // What was tuned for this problem, where it is still there and the choice of kernels allows it.
    const Implementation<Problem>* choose_tuned(Queue& q, const Problem& problem) const {
        if constexpr (Tunable<Problem>) {
            if (q.kernels().rule == KernelChoice::Rule::named) return nullptr;
            const TunedKernel* const tuned = q.tuned()->find(text(q, problem));
            for (const auto& i : list_) {
                if (!tuned || i.name != tuned->implementation || !allows(q.kernels(), i)) continue;
                if (!tuned->way.empty() && !(i.has_way && i.has_way(q, problem, tuned->way))) continue;
                q.set_way(tuned->way);
                if (supports(i, q, problem)) return &i;
            }
        }
        return nullptr;
    }
    static bool allows(const KernelChoice& choice, const Implementation<Problem>& i) {
        return choice.rule != KernelChoice::Rule::own || i.provider == "own";
    }
    static bool supports(const Implementation<Problem>& i, Queue& q, const Problem& problem) {
        return !i.supports || i.supports(q, problem);
    }
    auto at(const std::string& name) {
        return std::find_if(list_.begin(), list_.end(), [&](const auto& i) { return i.name == name; });
    }
    bool has(const std::string& name) { return at(name) != list_.end(); }

    std::string function_, device_;
    std::vector<Implementation<Problem>> list_;
};

}  // namespace atrous::kernels
