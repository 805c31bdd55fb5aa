// PyTorch's files: what is read, what is written, and that hostile ones are refused in one line and little memory.
#include "engine/io/pth.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "tests/engine/pth_fixture.h"

namespace atrous::io {
namespace {

using namespace atrous::test;

using Pth = PthTest;

TEST_F(Pth, ReadsADictOfATensor) {
    for (const bool zip64 : {false, true}) {
        put(zip_text(archive(dict({{"w", tensor({.sizes = {2, 2}, .strides = {2, 1}})}}), {four_floats()}), {zip64}));
        const PthFile file(path_);
        ASSERT_EQ(file.tensors().size(), 1u);
        EXPECT_EQ(file.at("w").shape, (std::vector<int64_t>{2, 2}));
        EXPECT_EQ(file.at("w").dtype, DType::f32);
        EXPECT_STREQ(file.format(), "PyTorch zip");
        EXPECT_EQ(values<float>("w"), (std::vector<float>{1, 2, 3, 4}));
    }
}

TEST_F(Pth, ReadsEveryType) {
    const std::tuple<const char*, DType, size_t> types[] = {
        {"FloatStorage", DType::f32, 4}, {"DoubleStorage", DType::f64, 8},    {"HalfStorage", DType::f16, 2},
        {"LongStorage", DType::i64, 8},  {"BFloat16Storage", DType::bf16, 2}, {"IntStorage", DType::i32, 4},
        {"ByteStorage", DType::u8, 1},   {"BoolStorage", DType::u8, 1}};
    for (const auto& [name, dtype, size] : types) {
        std::string bytes;
        for (size_t i = 0; i < 3 * size; ++i) bytes += char(i * 37 + 1);
        put(zip_text(archive(dict({{"t", tensor({.type = name, .count = 3, .sizes = {3}})}}), {bytes})));
        const PthFile file(path_);
        EXPECT_EQ(file.at("t").dtype, dtype) << name;
        const auto read = file.bytes(file.at("t"));
        EXPECT_EQ(std::string(reinterpret_cast<const char*>(read.data()), read.size()), bytes) << name;
    }
}

TEST_F(Pth, MaterialisesViews) {
    const std::string ten = bytes_of<float>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    const auto view = [](int64_t offset, std::vector<int64_t> sizes, std::vector<int64_t> strides) {
        return tensor({.count = 10, .offset = offset, .sizes = std::move(sizes), .strides = std::move(strides)});
    };
    // All share one storage. A dimension of size 1 may have any stride; sizes of 0 reach nothing.
    put(zip_text(archive(dict({{"whole", view(0, {10}, {1})},
                               {"transposed", view(1, {2, 3}, {1, 2})},
                               {"every third", view(0, {4}, {3})},
                               {"permuted", view(2, {2, 2, 2}, {1, 4, 2})},
                               {"scalar", view(7, {}, {})},
                               {"one", view(9, {1, 1}, {1000, 77})},
                               {"nothing", view(10, {0, 3}, {3, 1})}}),
                         {ten})));
    EXPECT_EQ(values<float>("whole").size(), 10u);
    EXPECT_EQ(values<float>("transposed"), (std::vector<float>{1, 3, 5, 2, 4, 6}));
    EXPECT_EQ(values<float>("every third"), (std::vector<float>{0, 3, 6, 9}));
    EXPECT_EQ(values<float>("permuted"), (std::vector<float>{2, 4, 6, 8, 3, 5, 7, 9}));
    EXPECT_EQ(values<float>("scalar"), (std::vector<float>{7}));
    EXPECT_EQ(values<float>("one"), (std::vector<float>{9}));
    EXPECT_TRUE(values<float>("nothing").empty());
}

// torch.imag(x.conj()): a view whose values are those of its storage times -1.
TEST_F(Pth, NegatedViewsHaveTheirSign) {
    const std::string yes = "\x88", no = "\x89";
    const auto view = [&](RawTensor t, const std::string& properties) {
        return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage(t) + integer(t.offset) + tuple(t.sizes) +
               tuple(t.strides) + no + ordered_dict() + properties + "tR";
    };
    const std::string neg = dict({{"neg", yes}});
    put(zip_text(archive(dict({{"dense", view({}, neg)},
                               {"strided", view({.offset = 1, .sizes = {2}, .strides = {2}}, neg)},
                               {"both", view({}, dict({{"conj", no}, {"neg", yes}}))},
                               {"neither", view({}, dict({{"conj", no}, {"neg", no}}))},
                               {"empty", view({}, "}")},
                               {"none", view({}, "N")}}),
                         {four_floats()})));
    const std::vector<float> negative{-1, -2, -3, -4}, positive{1, 2, 3, 4};
    for (const char* name : {"dense", "both"}) EXPECT_EQ(values<float>(name), negative) << name;
    for (const char* name : {"neither", "empty", "none"}) EXPECT_EQ(values<float>(name), positive) << name;
    EXPECT_EQ(values<float>("strided"), (std::vector<float>{-2, -4}));
    const auto negated = [&]<class T>(const char* type, std::vector<T> stored) {
        const auto count = int64_t(stored.size());
        put(zip_text(
            archive(dict({{"t", view({.type = type, .count = count, .sizes = {count}}, neg)}}), {bytes_of(stored)})));
        return values<T>("t");
    };
    EXPECT_EQ(negated("DoubleStorage", std::vector<double>{0.5, -2}), (std::vector<double>{-0.5, 2}));
    EXPECT_EQ(negated("LongStorage", std::vector<int64_t>{1, INT64_MIN}), (std::vector<int64_t>{-1, INT64_MIN}));
    EXPECT_EQ(negated("IntStorage", std::vector<int32_t>{1, -7}), (std::vector<int32_t>{-1, 7}));
    EXPECT_EQ(negated("ByteStorage", std::vector<uint8_t>{0, 1}), (std::vector<uint8_t>{0, 255}));
    EXPECT_EQ(negated("HalfStorage", std::vector<uint16_t>{0x3c00, 0x8001}), (std::vector<uint16_t>{0xbc00, 0x0001}));
    EXPECT_EQ(negated("BFloat16Storage", std::vector<uint16_t>{0x3f80}), (std::vector<uint16_t>{0xbf80}));
    const auto refused = [&](const std::string& properties, const char* words) {
        expect_refused(with(dict({{"t", view({}, properties)}})), words);
    };
    refused(dict({{"conj", yes}}), "tensor 't' is a conjugated view, which is not read; save it after .resolve_conj()");
    refused(dict({{"other", yes}}), "has the property 'other', which is not read; save a .clone()");
    refused(dict({{"neg", integer(1)}}), "is not put together as PyTorch does it");
    refused(integer(1), "is not put together as PyTorch does it");
}

TEST_F(Pth, ReadsParametersSizesAndAttributes) {
    const std::string t = tensor({});
    const std::string parameter =
        global("torch._utils", "_rebuild_parameter") + "(" + t + "\x88" + ordered_dict() + "tR";
    const std::string old_parameter =
        global("torch.nn.parameter", "Parameter") + "(" + t + "t\x81" + "(\x88\x89" + ordered_dict() + "tb";
    const std::string sized = global("torch._utils", "_rebuild_tensor_v2") + "(" + storage({}) + integer(0) +
                              global("torch", "Size") + "(" + tuple({4}) + "tR" + tuple({1}) + "\x89" + ordered_dict() +
                              "tR";
    const std::string v1 =
        global("torch._utils", "_rebuild_tensor") + "(" + storage({}) + integer(1) + tuple({3}) + tuple({1}) + "tR";
    const std::string python2 = global("collections", "OrderedDict") + "(](](" + text("e") + t + "eetR";
    // A state dict has its _metadata as an attribute.
    const std::string state = ordered_dict() + "(" + text("a") + parameter + text("b") + old_parameter + text("c") +
                              sized + text("d") + v1 + text("nested") + python2 + "u" +
                              dict({{"_metadata", ordered_dict()}}) + "b";
    put(with(state));
    ASSERT_EQ(refusal(), "accepted");
    for (const char* name : {"a", "b", "c", "nested.e"})
        EXPECT_EQ(values<float>(name), (std::vector<float>{1, 2, 3, 4})) << name;
    EXPECT_EQ(values<float>("d"), (std::vector<float>{2, 3, 4}));
}

TEST_F(Pth, FindsTheStateDictAmongOthers) {
    const std::string t = tensor({}), one = dict({{"w", t}}), two = dict({{"w", t}, {"v", t}});
    const auto names = [&](const std::string& entry = "") {
        std::string all;
        const PthFile file(path_, entry);
        for (const TensorInfo& info : file.tensors()) all += info.name + " ";
        return all;
    };
    put(with(dict({{"optimizer", one}, {"state_dict", two}, {"epoch", integer(3)}})));
    EXPECT_EQ(names(), "w v ");
    EXPECT_EQ(PthFile(path_).notes(), (std::vector<std::string>{"left out: 'optimizer' (a dict), 'epoch' (a number)"}));
    EXPECT_EQ(names("optimizer"), "w ");
    EXPECT_THROW(names("nothing"), FormatError);
    put(with(dict({{"optim_state", one}, {"generator", two}})));
    EXPECT_EQ(names(), "w v ");
    put(with(dict({{"generator", one}, {"discriminator", two}})));
    EXPECT_NE(refusal().find("not clear which"), std::string::npos) << refusal();
    EXPECT_EQ(names("generator"), "w ");
    put(with(dict({{"encoder", dict({{"conv", one}})}, {"b", t}, {"note", text("hi")}})));
    EXPECT_EQ(names(), "encoder.conv.w b ");
    put(with(dict({{"w", integer(1)}})));
    EXPECT_NE(refusal().find("holds no tensors"), std::string::npos) << refusal();
    put(with(tensor({})));
    EXPECT_NE(refusal().find("holds no dict"), std::string::npos) << refusal();
}

TEST_F(Pth, ReadsTheLegacyForm) {
    const std::string none = "N", view = "(" + text("v") + integer(1) + integer(2) + "t";
    const std::string first = tensor({.key = "0", .count = 4}, none);
    const std::string second =
        tensor({.key = "1", .type = "LongStorage", .count = 1, .sizes = {}, .strides = {}}, none);
    const std::string third = tensor({.key = "0", .count = 4, .sizes = {2}}, view);
    const std::string good = dict({{"a", first}, {"n", second}, {"part", third}});
    const std::vector<std::pair<int64_t, std::string>> storages{{4, four_floats()}, {1, bytes_of<int64_t>({-7})}};
    put(legacy(good, storages));
    ASSERT_EQ(refusal(), "accepted");
    EXPECT_STREQ(PthFile(path_).format(), "PyTorch legacy");
    EXPECT_EQ(values<float>("a"), (std::vector<float>{1, 2, 3, 4}));
    EXPECT_EQ(values<int64_t>("n"), (std::vector<int64_t>{-7}));
    EXPECT_EQ(values<float>("part"), (std::vector<float>{2, 3}));
    const std::string whole = file();
    for (size_t n = 0; n < whole.size(); ++n) {
        put(whole.substr(0, n));
        EXPECT_NE(refusal(), "accepted") << n << " of " << whole.size() << " bytes";
    }
    expect_refused(whole + "x", "1 bytes follow");
    expect_refused(legacy(good, storages, false), "big-endian");
    expect_refused(legacy(good, {{3, four_floats()}, storages[1]}), "should have 4 elements, it has 3");
    expect_refused(legacy(good, {{int64_t(1) << 62, four_floats()}, storages[1]}), "should have 4 elements");
    expect_refused(legacy(good, {storages[0]}), "missing");
    expect_refused(legacy(dict({{"a", first}}), storages), "not used by any tensor");
}

TEST_F(Pth, WhatIsWrittenIsReadAgain) {
    std::vector<unsigned char> noise(8 * 24);
    for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<unsigned char>(i * i * 7 + i);
    std::vector<TensorToWrite> tensors;
    for (const DType t : {DType::f32, DType::bf16, DType::f16, DType::f64, DType::u8, DType::i32, DType::i64})
        for (const auto& shape : std::vector<std::vector<int64_t>>{{}, {0}, {2, 3, 4}, {24, 1}, {4, 0, 9}})
            tensors.push_back(tensor_in_memory(std::string(name_of(t)) + "." + std::to_string(tensors.size()), t, shape,
                                               noise.data()));
    write_pth(path_, tensors);
    const PthFile read(path_);
    ASSERT_EQ(read.tensors().size(), tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
        EXPECT_EQ(read.tensors()[i].name, tensors[i].name);
        EXPECT_EQ(read.tensors()[i].dtype, tensors[i].dtype);
        EXPECT_EQ(read.tensors()[i].shape, tensors[i].shape);
        const auto bytes = read.bytes(read.tensors()[i]);
        EXPECT_EQ(std::memcmp(bytes.data(), noise.data(), bytes.size()), 0) << tensors[i].name;
    }
    const std::string once = file();
    write_pth(path_, tensors);
    EXPECT_EQ(file(), once) << "the same tensors give the same bytes";
    EXPECT_THROW(write_pth(path_, {tensors[0], tensors[0]}), ShapeError);
}

TEST_F(Pth, TheContentsDecideNotTheName) {
    const float f[] = {1, 2};
    write_safetensors(path_, {tensor_in_memory("a", DType::f32, {2}, f)});
    EXPECT_STREQ(open_tensors(path_)->format(), "safetensors");
    put(with(dict({{"w", tensor({})}})));
    std::filesystem::rename(path_, folder_ / "w.safetensors");
    EXPECT_STREQ(open_tensors(folder_ / "w.safetensors")->format(), "PyTorch zip");
    // Headers of 640 and of 19280 bytes begin like a pickle and like a zip archive.
    for (const size_t bytes : {0x280, 0x4b50}) {
        std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
        header.resize(bytes, ' ');
        put(little(uint64_t(bytes)) + header + "x");
        EXPECT_STREQ(open_tensors(path_)->format(), "safetensors") << bytes;
    }
}

TEST_F(Pth, NothingIsExecuted) {
    const std::string command = text("touch /tmp/atrous_was_here");
    expect_refused(with(global("os", "system") + "(" + command + "tR"), "'os.system'");
    expect_refused(with(global("builtins", "eval") + "(" + command + "tR"), "'builtins.eval'");
    expect_refused(with(global("posix", "system") + "(" + command + "tR"), "nothing from a file is executed");
    expect_refused(with(dict({{"w", tensor({})}, {"args", global("argparse", "Namespace") + ")\x81"}})),
                   "'argparse.Namespace'");
    // A whole module: its class, and what to do.
    const std::string module = global("torchvision.models.resnet", "ResNet") + ")\x81}b";
    expect_refused(with(module), "'torchvision.models.resnet.ResNet'");
    expect_refused(with(module), "torch.save(model.state_dict()");
    expect_refused(with(global("torch", "UntypedStorage") + "."), "'torch.UntypedStorage'");
    // Python would look the dotted name up in another way than the one that is allowed.
    expect_refused(with(global("torch", "_utils._rebuild_tensor_v2") + ")R"), "needs Python's");
    expect_refused(with(global("torch._utils._rebuild_tensor_v2", "") + ")R"), "needs Python's");
}

}  // namespace
}  // namespace atrous::io
