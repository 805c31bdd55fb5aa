// The catalogue of ops that `atrous run-op` runs: complete, and each op callable with its defaults.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine/ops/catalogue.h"
#include "tests/cases/case.h"

namespace atrous::cases {
namespace {

TEST(Catalogue, HoldsEveryOpThatHasCases) {
    std::set<std::string> names;
    for (const CatalogueOp& op : op_catalogue()) EXPECT_TRUE(names.insert(op.name).second) << op.name << " twice";
    std::set<std::string> missing;
    for (const Case& c : Family::all_cases())
        if (!names.count(c.op)) missing.insert(c.op);
    for (const std::string& op : missing)
        ADD_FAILURE() << op << " has cases, but no entry in engine/ops/catalogue.cpp: atrous run-op cannot run it";
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
    const auto conv = std::find_if(ops.begin(), ops.end(), [](const CatalogueOp& op) { return op.name == "conv2d"; });
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
