#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "engine/io/safetensors.h"

namespace {

namespace fs = std::filesystem;
using atrous::DType;
using atrous::FormatError;
using atrous::IoError;
using atrous::ShapeError;
using namespace atrous::io;

class Safetensors : public ::testing::Test {
 protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) / ("safetensors " + std::to_string(getpid()));
        fs::create_directories(folder_);
        path_ = folder_ / "w.safetensors";
    }
    void TearDown() override { fs::remove_all(folder_); }

    std::string file() const {
        std::ifstream in(path_, std::ios::binary);
        std::stringstream text;
        text << in.rdbuf();
        return text.str();
    }
    void put(const std::string& bytes) const { std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes; }
    void put(const std::string& header, const std::string& data) const { put(length(header.size()) + header + data); }
    static std::string length(uint64_t n) { return std::string(reinterpret_cast<const char*>(&n), 8); }

    // The error's message, which names the file; "accepted" if there was none.
    std::string refusal() const {
        try {
            SafetensorsFile file(path_);
            return "accepted";
        } catch (const FormatError& e) {
            const std::string message = e.what();
            EXPECT_EQ(message.rfind(path_.string(), 0), 0u) << message;
            EXPECT_EQ(message.find('\n'), std::string::npos) << message;
            return message;
        }
    }
    void expect_refused(const std::string& header, const std::string& data, const std::string& words) const {
        put(header, data);
        const std::string message = refusal();
        EXPECT_NE(message.find(words), std::string::npos) << header.substr(0, 200) << "\n  said: " << message;
    }
    void write_small() const {
        const int64_t b = -2;
        const float a[] = {1.5f, -0.25f};
        const uint8_t c[] = {1, 2, 255};
        write_safetensors(path_,
                          {tensor_in_memory("a", DType::f32, {2, 1}, a), tensor_in_memory("c", DType::u8, {3}, c),
                           tensor_in_memory("b", DType::i64, {1}, &b)},
                          {{"epoch", "7"}});
    }

    fs::path folder_, path_;
};

// The bytes by hand, from the format's description; the checksum from a bit-by-bit program elsewhere.
TEST_F(Safetensors, TheFileIsTheOneTheFormatDescribes) {
    write_small();
    std::string header = R"({"__metadata__":{"atrous.crc32c":"a3bf357e","epoch":"7"},)"
                         R"("b":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
                         R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},)"
                         R"("c":{"dtype":"U8","shape":[3],"data_offsets":[16,19]}})";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    using namespace std::string_literals;
    const std::string data = "\xfe\xff\xff\xff\xff\xff\xff\xff\x00\x00\xc0\x3f\x00\x00\x80\xbe\x01\x02\xff"s;
    EXPECT_EQ(file(), length(header.size()) + header + data);
}

TEST_F(Safetensors, RoundTripOfEveryTypeAndShape) {
    std::vector<unsigned char> noise(8 * 105);
    for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<unsigned char>(i * i * 7 + i);
    std::vector<TensorToWrite> tensors;
    for (const DType t : {DType::f32, DType::bf16, DType::f16, DType::f64, DType::u8, DType::i32, DType::i64})
        for (const auto& shape : std::vector<std::vector<int64_t>>{{}, {0}, {3, 5, 7}, {105, 1}, {4, 0, 9}})
            tensors.push_back(
                tensor_in_memory(std::string("block.") + atrous::name_of(t) + "." + std::to_string(tensors.size()), t,
                                 shape, noise.data()));
    const std::map<std::string, std::string> metadata = {{"", ""}, {"quote \" and \\", "line\nbreak\t\x01 ü 漢"}};
    write_safetensors(path_, tensors, metadata);

    const SafetensorsFile file(path_);
    EXPECT_TRUE(file.checksummed());
    EXPECT_EQ(file.metadata(), metadata);
    ASSERT_EQ(file.tensors().size(), tensors.size());
    for (const TensorToWrite& written : tensors) {
        const TensorInfo& t = file.at(written.name);
        EXPECT_EQ(t.dtype, written.dtype);
        EXPECT_EQ(t.shape, written.shape);
        EXPECT_EQ(t.begin % atrous::size_of(t.dtype), 0u);
        const auto bytes = file.bytes(t);
        EXPECT_EQ(bytes.size(), t.count() * atrous::size_of(t.dtype));
        EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), reinterpret_cast<const std::byte*>(noise.data())));
    }
    EXPECT_EQ(file.find("block"), nullptr);
    EXPECT_THROW(file.at("block"), FormatError);
}

TEST_F(Safetensors, NothingAtAllIsAFileToo) {
    write_safetensors(path_, {});
    EXPECT_TRUE(SafetensorsFile(path_).tensors().empty());
    put("{}", "");
    EXPECT_TRUE(SafetensorsFile(path_).tensors().empty());
}

TEST_F(Safetensors, ReadsWhatOthersWrite) {
    // Python's writer: no checksum, padded with spaces; a reader must accept tensors listed in any order.
    put(R"({"z":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"y":{"shape":[2,2],"data_offsets":[0,4],"dtype":"U8"},)"
        R"("__metadata__":{"format":"pt"}}   )",
        std::string("\1\2\3\4\0\0\200\77", 8));
    const SafetensorsFile file(path_);
    EXPECT_FALSE(file.checksummed());
    EXPECT_EQ(file.metadata().at("format"), "pt");
    EXPECT_EQ(file.tensors()[0].name, "y");
    float z = 0;
    file.read(file.at("z"), &z);
    EXPECT_EQ(z, 1.0f);
}

TEST_F(Safetensors, ACopiedChecksumIsNotTakenForOurs) {
    // As after loading and saving with another program that carries the metadata over.
    put(R"({"__metadata__":{"format":"pt","atrous.crc32c":"12345678"},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
        "x");
    EXPECT_FALSE(SafetensorsFile(path_).checksummed());
}

TEST_F(Safetensors, EveryTruncationIsRefused) {
    write_small();
    const std::string whole = file();
    for (size_t n = 0; n < whole.size(); ++n) {
        put(whole.substr(0, n));
        EXPECT_NE(refusal(), "accepted") << n << " bytes";
    }
    put(whole + "x");
    EXPECT_NE(refusal().find("1 bytes follow the last tensor"), std::string::npos) << refusal();
    put(whole.substr(0, whole.size() - 1));
    EXPECT_NE(refusal().find("cut short: its header promises 19 bytes of data, 18 are there"), std::string::npos)
        << refusal();
}

TEST_F(Safetensors, AFlippedBitInEveryByteIsFound) {
    write_small();
    const std::string whole = file();
    for (size_t at = 0; at < whole.size(); ++at)
        for (const int bit : {0, 5, 7}) {
            std::string damaged = whole;
            damaged[at] = char(damaged[at] ^ 1 << bit);
            put(damaged);
            EXPECT_NE(refusal(), "accepted") << "byte " << at << " bit " << bit;
        }
}

TEST_F(Safetensors, DamageNamesTheFileBeforeIt) {
    write_small();
    std::string damaged = file();
    damaged.back() = char(damaged.back() ^ 1);
    put(damaged);
    EXPECT_EQ(refusal().find(previous_of(path_)), std::string::npos) << refusal();
    std::ofstream(previous_of(path_)) << "exists";
    EXPECT_NE(refusal().find(previous_of(path_)), std::string::npos) << refusal();
}

TEST_F(Safetensors, LengthsThatCannotBe) {
    for (const uint64_t n : {uint64_t(1) << 60, ~uint64_t(0), uint64_t(100'000'001)}) {
        put(length(n) + "{}");
        EXPECT_NE(refusal().find("at most 100000000 are allowed"), std::string::npos) << refusal();
    }
    put(length(3) + "{}");
    EXPECT_NE(refusal().find("cut short"), std::string::npos) << refusal();
    put(length(0));
    EXPECT_NE(refusal().find("does not begin with {"), std::string::npos) << refusal();
    put("PK\3\4");
    EXPECT_NE(refusal().find("not a safetensors file"), std::string::npos) << refusal();
}

TEST_F(Safetensors, MalformedHeadersAreRefusedWithTheReason) {
    const auto tensor = [](const std::string& fields) { return R"({"a":{)" + fields + "}}"; };
    const std::string good = R"("dtype":"U8","shape":[4],"data_offsets":[0,4])";
    put(tensor(good), "1234");
    EXPECT_EQ(refusal(), "accepted");
    const std::vector<std::pair<std::string, std::string>> cases = {
        {" {}", "does not begin with {"},
        {"[]", "does not begin with {"},
        {"{", "no valid JSON at byte"},
        {R"({"a":)", "no valid JSON"},
        {"{} {}", "no valid JSON"},
        {"{}\1", "no valid JSON"},
        {"{\"\xff\":{}}", "no valid JSON"},
        {"{\"\xc0\xaf\":{}}", "no valid JSON"},
        {R"({"\ud800":{}})", "no valid JSON"},
        {R"({"a":1})", "'a' should be an object, but is a number"},
        {R"({"a":[]})", "'a' should be an object, but is a list"},
        {R"({"a":null})", "'a' should be an object, but is null"},
        {R"({"a":{}})", "tensor 'a' lacks its dtype, shape or data_offsets"},
        {tensor(R"("dtype":"U8","shape":[4])"), "tensor 'a' lacks"},
        {tensor(good + R"(,"stride":[1])"), "unknown field 'stride'"},
        {tensor(good + R"(,"shape":[4])"), "two fields 'shape'"},
        {tensor(R"("dtype":"BOOL","shape":[4],"data_offsets":[0,4])"), "element type 'BOOL'"},
        {tensor(R"("dtype":"f32","shape":[1],"data_offsets":[0,4])"), "element type 'f32'"},
        {tensor(R"("dtype":7,"shape":[4],"data_offsets":[0,4])"), "has a number where"},
        {tensor(R"("dtype":["U8"],"shape":[4],"data_offsets":[0,4])"), "has a list where"},
        {tensor(R"("dtype":"U8","shape":4,"data_offsets":[0,4])"), "has a number where"},
        {tensor(R"("dtype":"U8","shape":[[4]],"data_offsets":[0,4])"), "a shape with a list"},
        {tensor(R"("dtype":"U8","shape":[-4],"data_offsets":[0,4])"), "a shape with a negative number"},
        {tensor(R"("dtype":"U8","shape":[4.0],"data_offsets":[0,4])"), "no 64-bit integer"},
        {tensor(R"("dtype":"U8","shape":["4"],"data_offsets":[0,4])"), "a shape with text"},
        {tensor(R"("dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,4])"), "no 64-bit integer"},
        {tensor(R"("dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,4])"), "beyond 2^63"},
        {tensor(R"("dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4],"data_offsets":[0,4])"), "dimensions"},
        {tensor(R"("dtype":"U8","shape":[4],"data_offsets":[0])"), "not two numbers"},
        {tensor(R"("dtype":"U8","shape":[4],"data_offsets":[0,4,4])"), "two numbers belong there"},
        {tensor(R"("dtype":"U8","shape":[4],"data_offsets":[4,0])"), "run backwards"},
        {tensor(R"("dtype":"U8","shape":[3],"data_offsets":[0,4])"), "takes 3 bytes, its data_offsets give 4"},
        {tensor(R"("dtype":"F32","shape":[4],"data_offsets":[0,4])"), "takes 16 bytes"},
        {tensor(R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0])"), "more than 64 bits"},
        {tensor(R"("dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0])"), "more than 64 bits"},
        {tensor(R"("dtype":"U8","shape":[4],"data_offsets":[1,5])"), "with a gap after"},
        {R"({"a":{)" + good + R"(},"a":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}})", "names tensor 'a' twice"},
        {R"({"a":{)" + good + R"(},"b":{)" + good + "}}", "inside the one before it"},
        {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
         "tensor 'b' begins at byte 2 of the data, with a gap after"},
        {tensor(R"("dtype":"U8","shape":[5],"data_offsets":[0,5])"), "promises 5 bytes of data, 4 are there"},
        {R"({"__metadata__":{"k":1},"a":{)" + good + "}}", "the metadata of 'k' should be text, but is a number"},
        {R"({"__metadata__":{"k":{}},"a":{)" + good + "}}", "should be text, but is an object"},
        {R"({"__metadata__":{"k":"1","k":"2"},"a":{)" + good + "}}", "metadata key 'k' appears twice"},
        {R"({"__metadata__":{},"__metadata__":{},"a":{)" + good + "}}", "__metadata__ appears twice"},
        {R"({"__metadata__":null,"a":{)" + good + "}}", "should be an object, but is null"},
    };
    for (const auto& [header, words] : cases) expect_refused(header, "1234", words);
}

TEST_F(Safetensors, AWrongChecksumIsNamed) {
    write_small();
    std::string damaged = file();
    damaged.back() = 'x';
    put(damaged);
    EXPECT_NE(refusal().find("damaged: its checksum is"), std::string::npos) << refusal();
}

TEST_F(Safetensors, WhatIsNoFileIsRefusedAtOnce) {
    EXPECT_THROW(SafetensorsFile(folder_ / "missing"), IoError);
    EXPECT_THROW(SafetensorsFile{folder_}, IoError);
    const fs::path pipe = folder_ / "pipe";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_THROW(SafetensorsFile{pipe}, IoError);  // and does not wait for a writer
}

TEST_F(Safetensors, TheWriterRefusesWhatNoReaderWouldTake) {
    const float x[] = {1, 2};
    const auto one = tensor_in_memory("x", DType::f32, {2}, x);
    write_safetensors(path_, {one});
    const std::string before = file();
    EXPECT_THROW(write_safetensors(path_, {one, one}), ShapeError);
    EXPECT_THROW(write_safetensors(path_, {tensor_in_memory("__metadata__", DType::f32, {2}, x)}), ShapeError);
    EXPECT_THROW(write_safetensors(path_, {tensor_in_memory("\xff", DType::f32, {2}, x)}), ShapeError);
    EXPECT_THROW(write_safetensors(path_, {one}, {{"k", "\xff"}}), ShapeError);
    EXPECT_THROW(tensor_in_memory("n", DType::f32, {-1}, x), ShapeError);
    const TensorToWrite too_few{"short", DType::f32, {3}, [&](Sink& sink) { sink.write(x, 8); }};
    EXPECT_THROW(write_safetensors(path_, {one, too_few}), ShapeError);
    EXPECT_EQ(file(), before);
}

uint64_t status_bytes(const char* field) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == field) {
            uint64_t kib = 0;
            status >> kib;
            return kib << 10;
        }
    return 0;
}

// Peak of memory while `header`'s file is opened, beyond what the process had before.
uint64_t peak_while_opening(const std::string& path) {
    std::ofstream("/proc/self/clear_refs") << "5";  // resets the peak
    const uint64_t before = status_bytes("VmRSS:");
    try {
        SafetensorsFile file(path);
        EXPECT_GT(file.metadata().size(), 0u);
    } catch (const FormatError&) {
    }
    const uint64_t peak = status_bytes("VmHWM:");
    return peak > before ? peak - before : 0;
}

TEST_F(Safetensors, MemoryStaysNearTheFilesSize) {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "the sanitizer's own memory is in the way";
#endif
    const uint64_t allowance = 64 << 20;
    constexpr size_t header_bytes = 40 << 20;
    const auto repeat = [&](std::string header, const auto& piece) {
        for (size_t i = 0; header.size() < header_bytes; ++i) header += piece(i);
        return header;
    };
    const auto number = [](size_t i) { return std::to_string(i); };
    const std::string tensor = R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)";
    const std::string rank = R"(":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,0]},)";
    const std::string hostile[] = {
        R"({"__metadata__":{"k":"v"},)" + repeat("", [&](size_t i) { return '"' + number(i) + tensor; }),
        R"({"__metadata__":{"k":"v"},)" + repeat("", [&](size_t i) { return '"' + number(i) + rank; }),
        repeat(R"({"__metadata__":{)", [&](size_t i) { return '"' + number(i) + R"(":"",)"; }),
        repeat(R"({"__metadata__":{"k":")", [](size_t) { return "vvvvvvvvvvvvvvvv"; }),
        repeat(R"({"a":{"shape":[)", [](size_t) { return "1111111111111111"; }),
        repeat(R"({"a":{"shape":[)", [](size_t) { return "1,"; }),
        repeat(R"({"a":)", [](size_t) { return "[[[["; }),
        // and an honest one as large as they get: 20,000 long entries
        repeat(R"({"__metadata__":{)",
               [&](size_t i) { return '"' + number(i) + "\":\"" + std::string(2000, 'v') + "\","; }) +
            R"("last":"1"}})",
    };
    for (const std::string& header : hostile) {
        put(header, "");
        const uint64_t peak = peak_while_opening(path_);
        EXPECT_LT(peak, fs::file_size(path_) + allowance) << header.substr(0, 60);
    }
}

}  // namespace
