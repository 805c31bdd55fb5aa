// Files that are damaged or made to do harm: one line each, and bounded memory.
#include <gtest/gtest.h>

#include "tests/engine/pth_fixture.h"

namespace atrous::io {
namespace {

using namespace atrous::test;

using PthHostile = PthTest;

std::string good_value() { return dict({{"w", tensor({})}, {"v", tensor({.offset = 1, .sizes = {3}})}}); }

TEST_F(PthHostile, EveryTruncationIsRefused) {
    const std::string whole = with(good_value());
    put(whole);
    ASSERT_EQ(refusal(), "accepted");
    for (size_t n = 0; n < whole.size(); ++n) {
        put(whole.substr(0, n));
        EXPECT_NE(refusal(), "accepted") << n << " of " << whole.size() << " bytes";
    }
    expect_refused(whole + "x", "no directory at the end");
}

// Damage is found or harmless: to times, versions, attributes and the unused bytes of a descriptor.
TEST_F(PthHostile, ADamagedByteIsFoundOrChangesNothing) {
    const std::string whole = with(good_value());
    put(whole);
    const auto w = values<float>("w"), v = values<float>("v");
    int accepted = 0;
    for (size_t at = 0; at < whole.size(); ++at)
        for (const int flip : {1, 0xff}) {
            std::string damaged = whole;
            damaged[at] = char(damaged[at] ^ flip);
            put(damaged);
            if (refusal() != "accepted") continue;
            ++accepted;
            EXPECT_EQ(values<float>("w"), w) << "byte " << at;
            EXPECT_EQ(values<float>("v"), v) << "byte " << at;
        }
    EXPECT_LT(accepted, int(whole.size())) << "at most half of the damage may be to bytes without a meaning";
}

TEST_F(PthHostile, ZipArchives) {
    const auto entries = archive(good_value(), {four_floats()});
    const auto changed = [&](size_t i, auto change) {
        auto copy = entries;
        change(copy[i]);
        return zip_text(copy);
    };
    expect_refused(changed(1, [](RawEntry& e) { e.crc = 1; }), "damaged: entry 'archive/data/0' has checksum");
    expect_refused(changed(0, [](RawEntry& e) { e.crc = 1; }), "damaged: entry 'archive/data.pkl' has checksum");
    expect_refused(changed(1, [](RawEntry& e) { e.method = 8; }), "compressed (method 8)");
    expect_refused(changed(1, [](RawEntry& e) { e.flags |= 1; }), "encrypted");
    expect_refused(changed(1, [](RawEntry& e) { e.name = "archive/data.pkl"; }), "two entries are named");
    expect_refused(changed(1, [](RawEntry& e) { e.name = "archive/data/7"; }), "storage '0' is missing");
    expect_refused(changed(1, [](RawEntry& e) { e.bytes = 1u << 30; }), "would have 1073741824 bytes");
    expect_refused(changed(1, [](RawEntry& e) { e.bytes = 8; }), "checksum");
    expect_refused(changed(1, [](RawEntry& e) { e.header = 0; }), "overlap");
    expect_refused(changed(1, [](RawEntry& e) { e.header = 3; }), "overlap");
    expect_refused(changed(1, [](RawEntry& e) { e.header = UINT32_MAX - 1; }), "outside the data");
    expect_refused(changed(1, [](RawEntry& e) { e.name = std::string("archive/data/\0", 14); }), "zero byte");
    expect_refused(changed(0, [](RawEntry& e) { e.name = "archive/other.pkl"; }), "without a data.pkl");
    auto twice = entries;
    twice.push_back({"second/data.pkl", entries[0].data});
    expect_refused(zip_text(twice), "two files of PyTorch's");
    auto script = entries;
    script.push_back({"archive/constants.pkl", ""});
    expect_refused(zip_text(script), "TorchScript");
    auto big = entries;
    big.push_back({"archive/byteorder", "big"});
    expect_refused(zip_text(big), "big-endian");
    expect_refused(zip_text(entries, {.before_end = "hidden"}), "directory would be");
    expect_refused(zip_text(entries, {.zip64 = true, .before_end = "hidden"}), "directory would be");
    expect_refused("PK\3\4", "too short");
    expect_refused("hello", "neither a zip archive nor its older form");
    std::string tar(600, '\0');
    tar.replace(257, 5, "ustar");
    expect_refused(tar, "a tar archive");
}

// A zip bomb of overlapping entries needs no compression: many names for the same bytes.
TEST_F(PthHostile, ABombOfOverlappingEntries) {
    auto entries = archive(good_value(), {std::string(1 << 20, 'x')});
    for (int i = 1; i < 1000; ++i) {
        entries.push_back(entries[1]);
        entries.back().name = "archive/data/" + std::to_string(i);
        entries.back().header = 500;
        entries.back().data.clear();
        entries.back().bytes = 1 << 20;
    }
    expect_refused(zip_text(entries), "the zip archive is refused");
}

TEST_F(PthHostile, Tensors) {
    const auto refuse = [&](const RawTensor& t, const std::string& words) {
        expect_refused(with(dict({{"w", tensor(t)}})), words);
    };
    constexpr int64_t huge = int64_t(1) << 62;
    refuse({.sizes = {5}}, "elements outside its storage of 4");
    refuse({.offset = 1}, "elements outside its storage");
    refuse({.offset = -1, .sizes = {1}}, "elements outside its storage");
    refuse({.offset = INT64_MAX, .sizes = {2}}, "elements outside its storage");
    refuse({.sizes = {2}, .strides = {4}}, "elements outside its storage");
    refuse({.sizes = {3}, .strides = {INT64_MAX}}, "elements outside its storage");
    refuse({.sizes = {2}, .strides = {-1}}, "no number from 0");
    refuse({.sizes = {-4}}, "no number from 0");
    refuse({.sizes = {5}, .strides = {0}}, "repeated in it");  // expanded: one value many times
    refuse({.sizes = {huge}, .strides = {0}}, "more than 64 bits of bytes");
    refuse({.sizes = {1 << 20, 1 << 20, 1 << 20, 1 << 20}, .strides = {0, 0, 0, 0}}, "more than 64 bits");
    refuse({.sizes = {huge, huge, 0}, .strides = {0, 0, 0}}, "more than 64 bits");
    refuse({.sizes = {2, 2}}, "strides that do not belong to it");
    refuse({.sizes = std::vector<int64_t>(17, 1), .strides = std::vector<int64_t>(17, 1)}, "more than 16 dimensions");
    refuse({.count = 3}, "should have 3 elements of 4 bytes, it has 16 bytes");
    refuse({.count = huge}, "4611686018427387904 elements");
    refuse({.count = INT64_MAX}, "elements");
    refuse({.count = -1}, "-1 elements");
    refuse({.key = "../../etc/passwd"}, "storage '../../etc/passwd' is missing");
    refuse({.type = "ShortStorage", .count = 8}, "element type Short");
    refuse({.type = "QInt8Storage"}, "'torch.QInt8Storage'");
    expect_refused(with(dict({{"a", tensor({})}, {"b", tensor({.type = "IntStorage"})}})), "elements of Int here");
    expect_refused(with(dict({{"w", tensor({})}, {"w", tensor({})}})), "two tensors are named 'w'");
    expect_refused(with(dict({{std::string(600, 'n'), tensor({})}})), "more than 512 bytes");
    // Few bytes that would unpack to many: the same storage under many names.
    std::vector<std::pair<std::string, std::string>> many;
    for (int i = 0; i < 2000; ++i) many.emplace_back(std::to_string(i), tensor({.count = 1 << 18, .sizes = {1 << 18}}));
    expect_refused(zip_text(archive(dict(many), {std::string(1 << 20, 'x')})), "share storages so often");
}

TEST_F(PthHostile, Pickles) {
    const auto refuse = [&](const std::string& opcodes, const std::string& words) {
        expect_refused(zip_text(archive(opcodes, {four_floats()})), words);
    };
    refuse("", "stack is empty");
    refuse("}}", "left over");
    refuse("}(", "stack is empty");
    refuse("t", "a mark is missing");
    refuse("}\x85\x86", "stack is empty");
    refuse("(}\x86", "stack is empty");
    refuse("h\5", "memo 5 is not set");
    refuse("}r\xff\xff\xff\xff", "memo 4294967295 is out of range");
    refuse("X\xff\xff\xff\xff", "more bytes belong");
    refuse("}(Nu", "a key without a value");
    refuse("N(NNu", "no dict");
    refuse("}Na", "no list");
    refuse("})R", "no function");
    refuse(global("torch", "FloatStorage") + ")R", "a call of torch.FloatStorage");
    refuse("NNb", "BUILD of something");
    refuse("\x8a\x09" + std::string(9, '\1'), "an integer of 9 bytes");
    refuse("\x80\x05}", "pickle protocol 5");
    refuse("\x95", "FRAME");
    refuse("\x8c\1a", "SHORT_BINUNICODE");
    refuse("(i__main__\nNet\n", "INST");
    refuse("\x93", "STACK_GLOBAL");
    refuse("\xf0", "unknown");
    refuse("c" + std::string(1000, 'm'), "more than 256 bytes");
    refuse("(" + text("module") + "tQ", "not named as PyTorch names them");
    refuse("NQ", "not named as PyTorch names them");
    refuse(dict({{"w", global("torch._utils", "_rebuild_tensor_v2") + ")R"}}), "not put together as PyTorch does it");
    // Circles: a dict in itself, a parameter of itself.
    refuse("}q\0(" + text("d") + "h\0u", "");
    const std::string circle = std::string("}q\0", 3) + "(" + text("d") + std::string("h\0", 2) + "u";
    refuse(circle, "holds no tensors");
    std::string nested = tensor({});
    for (int i = 0; i < 6; ++i) nested = global("torch._utils", "_rebuild_parameter") + "(" + nested + "tR";
    refuse(dict({{"w", nested}}), "not put together as PyTorch does it");
}

uint64_t status_bytes(const std::string& field) {
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);)
        if (line.rfind(field, 0) == 0) return std::stoull(line.substr(field.size())) * 1024;
    return 0;
}

TEST_F(PthHostile, MemoryIsBounded) {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "the sanitizer's own memory is in the way";
#endif
    const auto repeat = [](const std::string& piece, size_t bytes) {
        std::string all;
        while (all.size() < bytes) all += piece;
        return all;
    };
    // A list of a hundred thousand pairs, given to a hundred thousand ordered dicts.
    const std::string pairs = "](" + repeat("NN\x86", 300'000) + "eq\1";
    const std::string dicts = repeat(global("collections", "OrderedDict") + "h\1\x85R", 3'000'000);
    // Dicts that hold the next one ten times: 10^7 ways down.
    std::string ladder = "N";
    for (char level = 1; level <= 7; ++level) {
        std::string rest = std::string("q") + level;
        for (char key = '1'; key <= '9'; ++key) rest += text(std::string(1, key)) + "h" + level;
        ladder = "}(" + text("0") + ladder + rest + "u";
    }
    const std::pair<std::string, const char*> hostile[] = {
        {repeat("}", 20 << 20), "more than 1048576 values"},
        {"}q\1" + repeat("h\1", 20 << 20), "pushes more than"},
        {repeat("(", 20 << 20), "too many marks"},
        {repeat("\x85", 20 << 20), "stack is empty"},
        {"N" + repeat("\x85", 20 << 20), "more than 1048576 values"},  // a tuple in a tuple in a tuple …
        {repeat("X" + little(uint32_t(1000)) + std::string(1000, 'x') + "0", 40 << 20), "POP"},
        {repeat(text(std::string(1 << 20, 'x')), 40 << 20), "longer than"},
        {"}r\xff\xff\x3f" + std::string(1, '\0'), ""},
        {pairs + dicts, ""},
        {ladder, "too many entries"},
    };
    for (const auto& [opcodes, words] : hostile) {
        put(zip_text(archive(opcodes, {four_floats()})));
        std::ofstream("/proc/self/clear_refs") << "5";  // resets the peak
        const uint64_t before = status_bytes("VmRSS:");
        const std::string said = refusal();
        const uint64_t peak = status_bytes("VmHWM:");
        EXPECT_NE(said, "accepted");
        EXPECT_NE(said.find(words), std::string::npos) << "expected: " << words << "\n  said: " << said;
        EXPECT_LT(peak - std::min(peak, before), uint64_t(256) << 20) << said;
    }
}

}  // namespace
}  // namespace atrous::io
