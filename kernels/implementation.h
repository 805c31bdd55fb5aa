// A kernel family: the implementations of one contract function on one device, in order of preference. The problem, the
// list and the queue's KernelChoice alone decide which of them runs, so that on one machine every run, and every dry
// run of one, takes the same.
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
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/queue.h"

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
    // Of what it supports, where it was measured to be faster than those behind it; absent: everywhere. Elsewhere it
    // runs where it is asked for by name.
    bool (*faster)(Queue&, const Problem&) = nullptr;
    void (*run)(Queue&, const Problem&) = nullptr;
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

    void run(Queue& q, const Problem& problem) const { choose(q, problem).run(q, problem); }

    const Implementation<Problem>& choose(Queue& q, const Problem& problem) const {
        const KernelChoice& choice = q.kernels();
        for (const auto& i : list_)
            if (choice.rule == KernelChoice::Rule::named && i.name == choice.name && supports(i, q, problem)) return i;
        for (const auto& i : list_)
            if ((choice.rule != KernelChoice::Rule::own || i.provider == "own") && supports(i, q, problem) &&
                (!i.faster || i.faster(q, problem)))
                return i;
        throw Error(function_ + " on the " + device_ + ": no implementation supports this problem");
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
