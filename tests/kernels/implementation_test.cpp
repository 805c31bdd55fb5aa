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
