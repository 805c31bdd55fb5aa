// PNG chunks: what they announce, what they unpack to, the mark of this program's own files.
#include "png_bytes.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixtures.h"

namespace atrous::data::test {

namespace {

// The memory that f takes at its peak, in a process of its own, for a peak never falls.
size_t memory_taken(const std::function<void()>& f) {
    const auto peak = [] {
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        return usage.ru_maxrss;
    };
    const pid_t child = fork();
    if (child == 0) {
        const long before = peak();
        f();
        _exit(int(std::min(255L, (peak() - before) >> 10)));  // MiB
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return size_t(WEXITSTATUS(status)) << 20;
}

// A zlib stream of this many zeros and some more: the pixels of a black image.
std::vector<uint8_t> compressed_zeros(int64_t count) {
    const auto png = encode_png(make_image<uint8_t>(count >> 10, 1 << 10, 1));
    std::vector<uint8_t> stream;
    for (size_t at = find_chunk(png, "IDAT"); at < find_chunk(png, "IEND"); at += 12 + big32(png, at))
        stream.insert(stream.end(), png.begin() + long(at) + 8, png.begin() + long(at) + 8 + big32(png, at));
    return stream;
}

// Runs f where no more than 256 MiB can be added to the address space, so that what takes more fails.
template <class F>
void in_little_memory(F f) {
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
    rlimit little = before;
    little.rlim_cur = pages * rlim_t(sysconf(_SC_PAGESIZE)) + (rlim_t(256) << 20);
    ASSERT_EQ(setrlimit(RLIMIT_AS, &little), 0);
    f();
    ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
}

}  // namespace

TEST(Png, AChunkThatAnnouncesMoreThanTheFileIsRefusedBeforeMemoryIsTaken) {
    TempDir dir;
    for (const char* name : {"tEXt", "pCAL", "zTXt", "iCCP", "eXIf", "PLTE", "quIt"}) {
        auto bytes = with_chunk(encode_png(pattern(4, 4, 3)), name, {'k', 0, 'v'});
        for (uint32_t length : {0x7fffffffu, 0xffffffffu, 4000u}) {
            put_big32(bytes, find_chunk(encode_png(pattern(4, 4, 3)), "IDAT"), length);
            write_file(dir / "x.png", bytes);
            in_little_memory([&] {
                expect_error([&] { load_image(dir / "x.png"); },
                             {"x.png", name, std::to_string(length) + " bytes", "are there"});
            });
        }
    }
}

TEST(Png, WhatCompressedChunksUnpackToIsNotKept) {
    TempDir dir;
    const auto zeros = compressed_zeros(7 << 20);  // libpng's own limit is 8 MB a chunk
    EXPECT_LT(zeros.size(), 16u << 10);
    const Image image = pattern(4, 4, 3);
    auto bytes = encode_png(image);
    std::vector<uint8_t> data = {'k', 0, 0};
    data.insert(data.end(), zeros.begin(), zeros.end());
    for (int i = 0; i < 10; ++i) bytes = with_chunk(with_chunk(bytes, "iCCP", data), "zTXt", data);
    write_file(dir / "x.png", bytes);
    EXPECT_LT(memory_taken([&] { load_image(dir / "x.png"); }), size_t(4) << 20);
    EXPECT_EQ(load_image(dir / "x.png").u8, image.u8);
}

TEST(Png, ALargeChunkThatIsThereDoesNotMatter) {
    TempDir dir;
    const Image image = pattern(4, 4, 3);
    for (const char* name : {"tEXt", "prIv", "eXIf"}) {
        write_file(dir / "x.png", with_chunk(encode_png(image), name, std::vector<uint8_t>(12 << 20, 'I')));
        EXPECT_EQ(load_image(dir / "x.png").u8, image.u8) << name;
    }
    auto bytes = encode_png(image);
    bytes.insert(bytes.end(), 40, 0xff);
    write_file(dir / "x.png", bytes);
    EXPECT_EQ(load_image(dir / "x.png").u8, image.u8) << "bytes after the end";
}

TEST(Png, TheMarkTellsOurFiles) {
    TempDir dir;
    Palette colours;
    for (uint32_t i = 0; i < 256; ++i) colours.push_back(i * 0x10101);
    const auto ours = [&](const std::vector<uint8_t>& bytes) {
        write_file(dir / "x.png", bytes);
        return is_our_png(dir / "x.png");
    };
    for (int c : {1, 3, 4}) {
        const Image image = pattern(40, 50, c);
        const Palette palette = c == 1 ? colours : Palette{};
        const auto marked = encode_png(image, palette, PngMark::ours);
        EXPECT_TRUE(ours(marked));
        EXPECT_LT(find_chunk(marked, "tEXt"), find_chunk(marked, "IDAT"));
        EXPECT_EQ(load_image(dir / "x.png").u8, c == 1 ? load_image(dir / "x.png").u8 : image.u8);
        EXPECT_FALSE(ours(encode_png(image, palette)));
        save_png(dir / "saved.png", image, palette, PngMark::ours);
        EXPECT_TRUE(is_our_png(dir / "saved.png"));
    }
}

TEST(Png, TheMarkOfOthersOrNoneIsNotOurs) {
    TempDir dir;
    const auto plain = encode_png(pattern(4, 4, 3));
    const auto ours = [&](const std::vector<uint8_t>& bytes) {
        write_file(dir / "x.png", bytes);
        return is_our_png(dir / "x.png");
    };
    const std::string mark("Software\0atrous", 15);
    const auto text = [&](const std::string& words) { return std::vector<uint8_t>(words.begin(), words.end()); };
    EXPECT_TRUE(ours(with_chunk(plain, "tEXt", text(mark))));
    EXPECT_FALSE(ours(with_chunk(plain, "tEXt", text(mark + "s"))));
    EXPECT_FALSE(ours(with_chunk(plain, "tEXt", text(mark.substr(0, 14)))));
    EXPECT_FALSE(ours(with_chunk(plain, "tEXt", text("Software atrous"))));
    EXPECT_FALSE(ours(with_chunk(plain, "teXt", text(mark))));
    EXPECT_FALSE(ours(with_chunk(plain, "tEXt", text(mark), "IEND"))) << "after the pixels";
    auto marked = encode_png(pattern(4, 4, 3), {}, PngMark::ours);
    for (size_t size = 0; size < marked.size(); ++size) {
        write_file(dir / "cut.png", std::span(marked).first(size));
        EXPECT_EQ(is_our_png(dir / "cut.png"), size >= find_chunk(marked, "tEXt") + 8 + mark.size()) << size;
    }
    put_big32(marked, find_chunk(marked, "tEXt"), 0xffffffffu);
    EXPECT_FALSE(ours(marked));
    EXPECT_FALSE(is_our_png(dir / "absent.png"));
    EXPECT_FALSE(is_our_png(dir.path().string()));
    ASSERT_EQ(mkfifo((dir.path() / "pipe.png").c_str(), 0600), 0);
    EXPECT_FALSE(is_our_png(dir / "pipe.png"));
}

}  // namespace atrous::data::test
