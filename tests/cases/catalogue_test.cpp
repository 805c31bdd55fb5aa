// What ops say of themselves: of every op that has cases, and strictly parsed.
#include <gtest/gtest.h>

#include <set>

#include "benchmarks/cases/run.h"
#include "engine/ops/descriptor.h"
#include "tests/cases/tested.h"

namespace atrous::cases {
namespace {

TEST(Catalogue, HoldsEveryOpThatHasCases) {
    std::set<std::string> names;
    for (const OpDescriptor& op : op_catalogue()) names.insert(op.name);
    std::set<std::string> missing;
    for (const Tested& c : Family::all_cases())
        if (!names.count(c.op)) missing.insert(c.op);
    for (const std::string& op : missing)
        ADD_FAILURE() << op << " has cases, but no descriptor that engine/ops/catalogue.cpp includes";
}

TEST(Catalogue, WhatATapeRecordsIsDescribed) {
    std::set<std::string> recorded;
    for (const Tested& c : Family::all_cases()) {
        const Tape tape(Tape::Mode::tracing);
        output_on_meta(c, DType::f32);
        for (const Entry& e : tape.entries()) {
            recorded.insert(e.op);
            EXPECT_NO_THROW(descriptor_of(e)) << "recorded by " << c.op;
            if (!is_map(e)) continue;
            EXPECT_NO_THROW(reach_of(e, 0)) << e.op;
        }
    }
    EXPECT_EQ(recorded.size() + 2, op_catalogue().size()) << "confusion records nothing, ohem is a softmax_loss";
}

TEST(Catalogue, AnOpIsDescribedOnceAndCanBeCalled) {
    OpDescriptor op{.name = "conv2d", .call = [](const OpArguments& a) { return result(a.tensor("x")); }};
    EXPECT_THROW(add_op(op), Error) << "there is a conv2d";
    op.name = "";
    EXPECT_THROW(add_op(op), Error);
    EXPECT_THROW(add_op({.name = "uncallable"}), Error);
    Entry entry;
    entry.op = "uncallable";
    EXPECT_THROW(descriptor_of(entry), Error);
}

TEST(Catalogue, AChoiceIsOneOfItsWords) {
    OpArguments a;
    a.attributes["groups"] = "all";
    EXPECT_EQ(a.choice("groups", {"batch", "sample", "all"}), 2u);
    a.attributes["groups"] = "al";
    try {
        a.choice("groups", {"batch", "sample", "all"});
        FAIL();
    } catch (const UsageError& e) {
        EXPECT_STREQ(e.what(), "attribute groups=al: expected batch, sample or all");
    }
}

TEST(Catalogue, AttributesAreParsedStrictly) {
    OpArguments a;
    for (const char* text : {"", "1x", " 1", "0x1", "99999999999999999999"}) {
        a.attributes["n"] = text;
        EXPECT_THROW(a.integer("n"), UsageError) << text;
    }
    a.attributes["n"] = "-3";
    EXPECT_EQ(a.integer("n"), -3);
    EXPECT_EQ(a.number("n"), -3.0);
    EXPECT_THROW(a.flag("n"), UsageError);
    a.attributes["n"] = "true";
    EXPECT_TRUE(a.flag("n"));
    EXPECT_THROW(a.number("n"), UsageError);
}

TEST(Catalogue, ValuesOutOfRangeAreRefused) {
    const auto& ops = op_catalogue();
    const auto conv = ops.find("conv2d");
    ASSERT_NE(conv, ops.end());
    for (const char* stride : {"0", "-1", "100000"}) {
        OpArguments a;
        a.tensors["x"] = a.tensors["weight"] = Tensor::full({1, 1, 1, 1}, DType::f32, {DeviceKind::cpu}, 1);
        a.attributes = {{"stride", stride}, {"padding", "0"}, {"dilation", "1"}};
        EXPECT_THROW(conv->call(a), UsageError) << stride;
    }
}

}  // namespace
}  // namespace atrous::cases
