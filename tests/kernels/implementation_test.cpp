// Kernel families: which of a list runs, and what may be added to it.
#include "kernels/implementation.h"

#include <gtest/gtest.h>

namespace atrous::kernels {
namespace {

struct Problem {
    int size = 0;
    std::string* ran = nullptr;
};

struct NoScratch : Scratch {
    void* take(size_t) override { throw Error("choosing takes no scratch memory"); }
};

template <char letter>
void run_as(Queue&, const Problem& p) {
    *p.ran += letter;
}
bool even(Queue&, const Problem& p) { return p.size % 2 == 0; }
bool large(Queue&, const Problem& p) { return p.size >= 10; }

KernelFamily<Problem> family() {
    return {"sum",
            "cpu",
            {{.name = "library", .provider = "a library", .supports = even, .run = run_as<'l'>},
             {.name = "wide", .supports = even, .faster = large, .run = run_as<'w'>},
             {.name = "plain", .run = run_as<'p'>}}};
}

std::string ran(const KernelFamily<Problem>& f, int size, KernelChoice choice = {}) {
    NoScratch scratch;
    Queue q(gpu::StreamView(), scratch, 1, choice);
    std::string letters;
    f.run(q, {size, &letters});
    return letters;
}

using Rule = KernelChoice::Rule;
constexpr auto own = Rule::own, named = Rule::named;

TEST(KernelFamily, TheFirstThatSupportsTheProblemRuns) {
    EXPECT_EQ(ran(family(), 2), "l");
    EXPECT_EQ(ran(family(), 3), "p");
}

TEST(KernelFamily, OwnPassesOverLibraries) {
    EXPECT_EQ(ran(family(), 10, {own}), "w");
    EXPECT_EQ(ran(family(), 2, {own}), "p") << "wide is not faster there";
    EXPECT_EQ(ran(family(), 3, {own}), "p");
}

TEST(KernelFamily, ANameRunsWhereItIsSupportedFastOrNot) {
    EXPECT_EQ(ran(family(), 2, {named, "wide"}), "w");
    EXPECT_EQ(ran(family(), 2, {named, "plain"}), "p");
    EXPECT_EQ(ran(family(), 3, {named, "wide"}), "p") << "the list decides";
    EXPECT_EQ(ran(family(), 2, {named, "another family's"}), "l");
}

// A problem that can be tuned, with an implementation that has two ways.
struct Tuned {
    int size = 0;
    std::string* ran = nullptr;
};
std::string problem_text(const Tuned& p, MathMode) { return "of " + std::to_string(p.size); }
void place_problem(Tuned& p, const OperandMemory&) { p.size = -p.size; }

KernelFamily<Tuned> tunable_family() {
    return {"sum",
            "gpu",
            {{.name = "library",
              .provider = "a library",
              .supports = [](Queue& q, const Tuned&) { return q.way() != "gone"; },
              .run = [](Queue& q, const Tuned& p) { *p.ran += "l" + q.way(); },
              .ways =
                  [](Queue&, const Tuned&) {
                      return std::vector<std::string>{"1", "2"};
                  },
              .has_way = [](Queue&, const Tuned&, const std::string& way) { return way == "1" || way == "2"; }},
             {.name = "plain", .run = [](Queue& q, const Tuned& p) { *p.ran += "p" + q.way(); }}}};
}

TEST(KernelFamily, TakesWhatWasTunedWhereTheChoiceAllowsIt) {
    const auto family = tunable_family();
    NoScratch scratch;
    const auto ran = [&](const TunedKernel& tuned, KernelChoice choice = {}, int size = 3) {
        TunedKernels table;
        table.set("sum of 3", tuned);
        Queue q(gpu::StreamView(), scratch, 1, choice, MathMode::exact, &table);
        std::string letters;
        family.run(q, {size, &letters});
        return letters;
    };
    EXPECT_EQ(ran({"library", "2"}), "l2");
    EXPECT_EQ(ran({"plain"}), "p");
    EXPECT_EQ(ran({"plain"}, {}, 4), "l") << "another problem";
    EXPECT_EQ(ran({"library", "2"}, {own}), "p");
    EXPECT_EQ(ran({"plain"}, {named, "library"}), "l");
    EXPECT_EQ(ran({"library", "3"}), "l") << "a way that there is not";
    EXPECT_EQ(ran({"nobody"}), "l");
}

TEST(KernelFamily, TellsATunerItsProblemAndItsWays) {
    const auto family = tunable_family();
    NoScratch scratch;
    Queue q(gpu::StreamView(), scratch, 1);
    std::string letters;
    ProblemLog log;
    family.run(q, {3, &letters});
    family.run(q, {3, &letters});
    family.run(q, {5, &letters});
    ASSERT_EQ(log.problems().size(), 2u);
    TunableProblem& problem = *log.problems()[0];
    EXPECT_EQ(problem.text(), "sum of 3");
    const std::vector<KernelWay> all{{"library", "1"}, {"library", "2"}, {"plain", ""}};
    EXPECT_EQ(problem.ways(q), all);
    Queue without(gpu::StreamView(), scratch, 1, {own});
    EXPECT_EQ(problem.ways(without), std::vector<KernelWay>{all[2]});
    letters.clear();
    for (const KernelWay& way : all) problem.run(q, way);
    EXPECT_EQ(letters, "l1l2p");
}

TEST(KernelFamily, WhatIsAddedStandsWhereItIsPut) {
    auto f = family();
    f.add({.name = "last", .run = run_as<'z'>});
    EXPECT_EQ(ran(f, 2), "l");
    EXPECT_EQ(ran(f, 2, {named, "last"}), "z");
    f.add({.name = "first", .supports = large, .run = run_as<'a'>}, "library");
    EXPECT_EQ(ran(f, 12), "a");
    EXPECT_EQ(ran(f, 2), "l");
    std::string names;
    for (const auto& member : f.info().members) names += member.name + " ";
    EXPECT_EQ(names, "first library wide plain last ");
}

TEST(KernelFamily, AnImplementationIsDescribedOnceAndCanRun) {
    auto f = family();
    for (const char* name : {"", "auto", "own", "plain"})
        EXPECT_THROW(f.add({.name = name, .run = run_as<'x'>}), Error) << "'" << name << "'";
    EXPECT_THROW(f.add({.name = "idle"}), Error);
    EXPECT_THROW(f.add({.name = "lost", .run = run_as<'x'>}, "nobody"), Error);
    EXPECT_EQ(f.info().members.size(), 3u);
}

}  // namespace
}  // namespace atrous::kernels
