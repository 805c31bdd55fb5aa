// TensorBoard's event files: framing, checksums, and the events read back by a parser of their own.
#include "engine/io/event_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/crc32c.h"

namespace atrous::io {
namespace {

namespace fs = std::filesystem;

template <class T>
T read_as(const std::string& from, size_t at) {
    T value;
    std::memcpy(&value, from.data() + at, sizeof value);
    return value;
}

uint64_t take_varint(const std::string& from, size_t& at) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        const auto byte = uint8_t(from.at(at++));
        value |= uint64_t(byte & 127) << shift;
        if (byte < 128) return value;
    }
}

// The fields of a message: numbers as their bytes, in order.
std::multimap<int, std::string> fields(const std::string& message) {
    std::multimap<int, std::string> all;
    for (size_t at = 0; at < message.size();) {
        const uint64_t key = take_varint(message, at);
        size_t size = key % 8 == 1 ? 8 : 4;
        if (key % 8 == 0) {
            const uint64_t value = take_varint(message, at);
            all.emplace(int(key >> 3), std::to_string(value));
            continue;
        }
        if (key % 8 == 2) size = take_varint(message, at);
        all.emplace(int(key >> 3), message.substr(at, size));
        at += size;
    }
    return all;
}

uint32_t masked(const std::string& data) {
    const uint32_t crc = crc32c(data.data(), data.size());
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

std::vector<std::string> records(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    std::vector<std::string> all;
    for (size_t at = 0; at < text.size();) {
        const size_t size = read_as<uint64_t>(text, at);
        EXPECT_EQ(read_as<uint32_t>(text, at + 8), masked(text.substr(at, 8))) << "record " << all.size();
        if (at + 16 + size > text.size()) {
            ADD_FAILURE() << "record " << all.size() << " is cut off";
            break;
        }
        all.push_back(text.substr(at + 12, size));
        EXPECT_EQ(read_as<uint32_t>(text, at + 12 + size), masked(all.back())) << "record " << all.size() - 1;
        at += 16 + size;
    }
    return all;
}

struct EventFileTest : testing::Test {
    fs::path folder = fs::temp_directory_path() / ("atrous-events-" + std::to_string(::getpid()));
    void SetUp() override { fs::create_directories(folder); }
    void TearDown() override { fs::remove_all(folder); }
};

TEST_F(EventFileTest, TensorBoardFindsTheScalars) {
    EventFile file(folder.string(), 31);
    file.write(60, {{"loss/train", 0.75}, {"score/dice", 0.5}});
    file.write(90, {{"loss/train", -1e-3}});
    EXPECT_EQ(fs::path(file.path()).filename().string().rfind("events.out.tfevents.", 0), 0u);
    const auto all = records(file.path());
    ASSERT_EQ(all.size(), 4u);
    auto version = fields(all[0]), start = fields(all[1]), first = fields(all[2]), second = fields(all[3]);
    EXPECT_EQ(version.find(3)->second, "brain.Event:2");
    EXPECT_EQ(start.find(2)->second, "31");
    EXPECT_EQ(fields(start.find(7)->second).find(1)->second, "1");  // SessionLog.START: later steps are written anew
    EXPECT_EQ(first.find(2)->second, "60");
    EXPECT_EQ(second.find(2)->second, "90");
    const double wall = read_as<double>(first.find(1)->second, 0);
    EXPECT_NEAR(wall, double(::time(nullptr)), 60) << "seconds since 1970";
    auto summary = fields(first.find(5)->second);
    ASSERT_EQ(summary.count(1), 2u);
    auto value = summary.find(1);
    EXPECT_EQ(fields(value->second).find(1)->second, "loss/train");
    EXPECT_EQ(read_as<float>(fields(value->second).find(2)->second, 0), 0.75f);
    ++value;
    EXPECT_EQ(fields(value->second).find(1)->second, "score/dice");
    EXPECT_EQ(read_as<float>(fields(value->second).find(2)->second, 0), 0.5f);
}

// A full disk, here a limit on the size of files: once there is room, the next record completes the one cut off.
TEST_F(EventFileTest, ARecordThatDidNotFitIsCompletedLater) {
    EventFile file(folder.string(), 1);
    file.write(1, {{"loss/train", 1}});
    const auto size = fs::file_size(file.path());
    rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{size + 20, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    EXPECT_THROW(file.write(2, {{"loss/train", 2}}), IoError);
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    file.write(3, {{"loss/train", 3}});
    EXPECT_EQ(records(file.path()).size(), 5u);
}

// TensorBoard reads in the order of names, so that a clock set back would let old epochs replace new ones.
TEST_F(EventFileTest, TheNewFileSortsBehindAllThatAreThere) {
    const std::string prefix(EventFile::name_prefix);
    std::string last = prefix;
    for (const std::string there :
         {"", "5000000000000000.host.1", "5000000000000000.z", "1700000000.host.1.0", "7000000000.host.1.0", "8",
          "8999999999999999.host", "9100000000000000000.host", "x", "9200000000000000"}) {
        if (!there.empty()) std::ofstream(folder / (prefix + there)) << "before";
        const EventFile file(folder.string(), 1);
        const std::string name = fs::path(file.path()).filename();
        EXPECT_LT(last, name);
        last = name;
        for (const auto& entry : fs::directory_iterator(folder)) {
            const std::string other = entry.path().filename();
            EXPECT_TRUE(other <= name || other == prefix + "x") << other << " sorts behind " << name;
        }
        EXPECT_EQ(name.find('.', prefix.size()), prefix.size() + 16) << name;
        EXPECT_EQ(records(file.path()).size(), 2u);
    }
    for (const auto& entry : fs::directory_iterator(folder)) EXPECT_GT(entry.file_size(), 5u) << entry.path();
}

TEST_F(EventFileTest, AFolderThatIsNotThereIsNamed) {
    try {
        EventFile file((folder / "missing").string(), 1);
        FAIL() << "wrote into a folder that is not there";
    } catch (const IoError& e) {
        EXPECT_NE(std::string(e.what()).find("missing/events.out.tfevents."), std::string::npos) << e.what();
    }
}

}  // namespace
}  // namespace atrous::io
