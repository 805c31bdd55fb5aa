#include "data/class_split.h"

#include <algorithm>
#include <map>

namespace atrous::data {

namespace {

// The classes that occur, those of the fewest groups first, with how many.
std::vector<std::pair<size_t, int>> rarest_first(const std::vector<ClassGroup>& groups) {
    std::map<int, size_t> held_by;
    for (const ClassGroup& group : groups)
        for (const int id : group.classes) ++held_by[id];
    std::vector<std::pair<size_t, int>> order;
    for (const auto& [id, count] : held_by) order.push_back({count, id});
    std::sort(order.begin(), order.end());
    return order;
}

bool holds(const ClassGroup& group, int id) {
    return std::binary_search(group.classes.begin(), group.classes.end(), id);
}

class Sides {
 public:
    Sides(const std::vector<ClassGroup>& groups, std::vector<bool>& validates)
        : groups_(groups), validates_(validates) {
        for (size_t g = 0; g < groups.size(); ++g)
            for (const int id : groups[g].classes) ++count_[validates[g]][id], ++total_[id];
    }
    bool lacks(bool side, int id) { return count_[side][id] == 0; }

    // Brings a group with the class to this side, and where it can another one back: the last that was drawn, or the next.
    // Where each would take the last of another class from the validation, training goes first, but the last group that
    // validates stays.
    void bring(bool side, int id) {
        const size_t none = groups_.size();
        size_t in = none, in_any_case = none;
        for (size_t g = 0; g < groups_.size() && in == none; ++g) {
            if (validates_[g] == side || !holds(groups_[g], id)) continue;
            if (can_leave(g, id)) in = g;
            if (!side && in_any_case == none) in_any_case = g;
        }
        if (in == none) in = in_any_case;
        if (in == none) return;
        move(in);
        if (const size_t out = to_go_back(in, side); out != none)
            move(out);
        else if (std::find(validates_.begin(), validates_.end(), true) == validates_.end())
            move(in);
    }

 private:
    size_t to_go_back(size_t in, bool side) {
        const size_t none = groups_.size();
        size_t out = none;
        for (size_t k = 0; k < groups_.size(); ++k) {
            const size_t g = side ? groups_.size() - 1 - k : k;
            if (g == in || validates_[g] != side || !can_leave(g, -1)) continue;
            if (groups_[g].samples == groups_[in].samples) return g;
            if (out == none) out = g;
        }
        return out;
    }
    // Without a class being lost on its side, but for `wanted`, of which the other side may have the only group. A class of a
    // single group stays where it is trained on.
    bool can_leave(size_t g, int wanted) {
        return std::all_of(groups_[g].classes.begin(), groups_[g].classes.end(), [&](int id) {
            return count_[validates_[g]][id] > 1 || (total_[id] == 1 && (id == wanted || validates_[g]));
        });
    }
    void move(size_t g) {
        for (const int id : groups_[g].classes) --count_[validates_[g]][id], ++count_[!validates_[g]][id];
        validates_[g] = !validates_[g];
    }

    const std::vector<ClassGroup>& groups_;
    std::vector<bool>& validates_;
    std::map<int, size_t> count_[2], total_;
};

}  // namespace

void keep_classes_on_both_sides(const std::vector<ClassGroup>& groups, std::vector<bool>& validates) {
    if (std::find(validates.begin(), validates.end(), true) == validates.end()) return;
    Sides sides(groups, validates);
    for (const auto& [count, id] : rarest_first(groups)) {
        if (sides.lacks(false, id)) sides.bring(false, id);
        if (count > 1 && sides.lacks(true, id)) sides.bring(true, id);
    }
}

std::vector<size_t> folds_by_class(const std::vector<ClassGroup>& groups, size_t folds) {
    std::vector<size_t> fold_of(groups.size(), folds), samples(folds, 0);
    const auto deal = [&](size_t g, std::vector<size_t>& with_class) {
        size_t best = 0;
        for (size_t f = 1; f < folds; ++f)
            if (std::pair(with_class[f], samples[f]) < std::pair(with_class[best], samples[best])) best = f;
        fold_of[g] = best;
        samples[best] += groups[g].samples;
    };
    for (const auto& [count, id] : rarest_first(groups)) {
        std::vector<size_t> with_class(folds, 0);
        for (size_t g = 0; g < groups.size(); ++g)
            if (fold_of[g] != folds && holds(groups[g], id)) ++with_class[fold_of[g]];
        for (size_t g = 0; g < groups.size(); ++g) {
            if (fold_of[g] != folds || !holds(groups[g], id)) continue;
            deal(g, with_class);
            ++with_class[fold_of[g]];
        }
    }
    std::vector<size_t> no_class(folds, 0);
    for (size_t g = 0; g < groups.size(); ++g)
        if (fold_of[g] == folds) deal(g, no_class);
    return fold_of;
}

}  // namespace atrous::data
