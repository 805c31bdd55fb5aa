// write_durably under faults. The system calls it makes are replaced, in this executable, by wrappers that can fail,
// fall short or kill the process at the n-th call; left alone they pass everything on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/durable_file.h"
#include "base/error.h"

namespace {

namespace fs = std::filesystem;
using atrous::io::DurableOptions;
using atrous::io::FileSink;
using atrous::io::previous_of;
using atrous::io::remove_stale_temporaries;
using atrous::io::write_durably;

struct Faults {
    bool armed = false;
    int calls = 0;         // made since arming
    int at = 0;            // the call that fails; 0 for none
    int error = 0;         // its errno, or 0: SIGKILL
    int link_error = 0;    // every link() fails with this
    bool stutter = false;  // every second pwrite or fsync is interrupted, and writes take a few bytes only
} faults;

enum class Verdict { pass, fail, kill };

// The calls since arming, a letter each: w pwrite, s fsync, r rename, u unlink, l link.
std::string sequence;

Verdict next_call(char letter) {
    if (!faults.armed) return Verdict::pass;
    const bool interruptible = letter == 'w' || letter == 's';
    sequence += letter;
    const int call = ++faults.calls;
    if (faults.stutter && interruptible && call % 2 == 0) {
        errno = EINTR;
        return Verdict::fail;
    }
    if (call != faults.at) return Verdict::pass;
    if (faults.error == 0) return Verdict::kill;
    errno = faults.error;
    return Verdict::fail;
}

void die() { syscall(SYS_kill, getpid(), SIGKILL); }

template <class... Args>
int checked_call(char letter, long number, Args... args) {
    const Verdict verdict = next_call(letter);
    if (verdict == Verdict::kill) die();
    return verdict == Verdict::fail ? -1 : int(syscall(number, args...));
}

}  // namespace

extern "C" {
ssize_t pwrite(int fd, const void* data, size_t bytes, off_t offset) {
    const Verdict verdict = next_call('w');
    if (verdict == Verdict::fail) return -1;
    if (verdict == Verdict::kill) {
        syscall(SYS_pwrite64, fd, data, bytes / 2, offset);
        die();
    }
    if (faults.armed && faults.stutter && bytes > 7) bytes = 7;
    return syscall(SYS_pwrite64, fd, data, bytes, offset);
}
int fsync(int fd) { return checked_call('s', SYS_fsync, fd); }
int rename(const char* from, const char* to) noexcept {
    return checked_call('r', SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int unlink(const char* path) noexcept { return checked_call('u', SYS_unlinkat, AT_FDCWD, path, 0); }
int link(const char* from, const char* to) noexcept {
    if (faults.armed && faults.link_error != 0) {
        errno = faults.link_error;
        return -1;
    }
    return checked_call('l', SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}
}

namespace {

class DurableFile : public ::testing::Test {
 protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) / ("durable file " + std::to_string(getpid()));
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        path_ = folder_ / "last.bin";
    }
    void TearDown() override {
        faults = {};
        fs::remove_all(folder_);
    }
    static std::string read(const fs::path& path) {
        std::ifstream in(path, std::ios::binary);
        std::stringstream text;
        text << in.rdbuf();
        return in ? text.str() : "(none)";
    }
    // More than the buffer, in several pieces and with a patch, so that there are many steps to fail at.
    static std::string contents(char letter) {
        return "0123" + std::string(200'000, letter) + std::string(1000, letter);
    }
    void write(char letter, bool keep_previous) const {
        write_durably(
            path_,
            [&](FileSink& sink) {
                sink.write("????");
                sink.write(std::string(200'000, letter));
                for (int i = 0; i < 100; ++i) sink.write(std::string(10, letter));
                sink.patch(0, "0123", 4);
            },
            DurableOptions{.keep_previous = keep_previous});
    }
    std::set<std::string> names() const {
        std::set<std::string> found;
        for (const auto& entry : fs::directory_iterator(folder_)) found.insert(entry.path().filename());
        return found;
    }
    // Exit status of `action` in a child process, or 1000 + the signal that ended it.
    template <class F>
    static int in_child(F action) {
        const pid_t child = fork();
        if (child == 0) {
            action();
            _exit(0);
        }
        int status = 0;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    // Steps of one write, so that a sweep covers all of them and the sweep's end is known.
    int count_steps(bool keep_previous) {
        faults = {.armed = true};
        write('n', keep_previous);
        const int steps = faults.calls;
        faults = {};
        return steps;
    }

    fs::path folder_, path_;
};

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const atrous::IoError& e) {
        return e.what();
    }
    return "(nothing was thrown)";
}

TEST_F(DurableFile, CreatesAndReplaces) {
    write('a', false);
    EXPECT_EQ(read(path_), contents('a'));
    write('b', false);
    EXPECT_EQ(read(path_), contents('b'));
    EXPECT_EQ(names(), std::set<std::string>{"last.bin"});
}

TEST_F(DurableFile, KeepsThePreviousFile) {
    write('a', true);
    EXPECT_EQ(names(), std::set<std::string>{"last.bin"});
    write('b', true);
    EXPECT_EQ(read(previous_of(path_)), contents('a'));
    write('c', true);
    EXPECT_EQ(read(path_), contents('c'));
    EXPECT_EQ(read(previous_of(path_)), contents('b'));
    EXPECT_EQ(names(), (std::set<std::string>{"last.bin", "last.bin.previous"}));
}

TEST_F(DurableFile, AnOlderPreviousFileOutlivesAMissingCurrentOne) {
    write('a', true);
    write('b', true);
    fs::remove(path_);
    faults = {.armed = true, .at = 1, .error = ENOSPC};
    EXPECT_THROW(write('c', true), atrous::IoError);
    faults = {};
    EXPECT_EQ(read(previous_of(path_)), contents('a'));
    write('c', true);
    EXPECT_EQ(read(path_), contents('c'));
    EXPECT_EQ(read(previous_of(path_)), contents('a'));
}

TEST_F(DurableFile, KeepsPermissionsAndFollowsLinks) {
    write('a', false);
    ASSERT_EQ(chmod(path_.c_str(), 0640), 0);
    const fs::path alias = folder_ / "alias.bin";
    fs::create_symlink("last.bin", alias);
    write_durably(alias, [](FileSink& sink) { sink.write("through the link"); });
    EXPECT_TRUE(fs::is_symlink(alias));
    EXPECT_EQ(read(path_), "through the link");
    EXPECT_EQ(unsigned(fs::status(path_).permissions()), 0640u);
}

// What a kill cannot show but a power failure would: contents are on the disk before the name, the name at the end.
TEST_F(DurableFile, SyncsTheFileBeforeTheRenameAndTheFolderAfterIt) {
    write('o', false);
    for (const bool keep : {false, true}) {
        sequence.clear();
        count_steps(keep);
        const size_t writes = sequence.find_first_not_of('w');
        ASSERT_GE(writes, 3u);
        EXPECT_EQ(sequence.substr(writes), keep ? "sulrs" : "srs");
    }
}

TEST_F(DurableFile, AKillAtEveryStepLeavesTheOldFileOrTheNewOne) {
    for (const bool keep : {false, true}) {
        write('o', false);
        const int steps = count_steps(keep);
        ASSERT_GE(steps, keep ? 8 : 6);
        bool saw_old = false, saw_new = false;
        for (int at = 1; at <= steps; ++at) {
            fs::remove_all(folder_);
            fs::create_directories(folder_);
            write('p', keep);
            write('o', keep);
            const int status = in_child([&] {
                faults = {.armed = true, .at = at};
                write('n', keep);
            });
            ASSERT_EQ(status, 1000 + SIGKILL) << "step " << at;
            const std::string found = read(path_);
            saw_old |= found == contents('o');
            saw_new |= found == contents('n');
            EXPECT_TRUE(found == contents('o') || found == contents('n')) << "step " << at;
            if (keep && fs::exists(previous_of(path_))) {
                const std::string previous = read(previous_of(path_));
                EXPECT_TRUE(previous == contents('p') || previous == contents('o')) << "step " << at;
            }
            write('z', keep);  // the next run works and removes what the killed one left
            EXPECT_EQ(read(path_), contents('z'));
            for (const std::string& name : names()) EXPECT_EQ(name.rfind("last.bin", 0), 0u) << name;
        }
        EXPECT_TRUE(saw_old && saw_new);
    }
}

TEST_F(DurableFile, WithoutHardLinksOneWholeFileExistsAtEveryStep) {
    write('o', true);
    faults = {.armed = true, .link_error = EPERM};
    write('n', true);
    const int steps = faults.calls;
    faults = {};
    EXPECT_EQ(read(path_), contents('n'));
    EXPECT_EQ(read(previous_of(path_)), contents('o'));
    for (int at = 1; at <= steps; ++at) {
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        write('o', true);
        in_child([&] {
            faults = {.armed = true, .at = at, .link_error = EPERM};
            write('n', true);
        });
        const std::string found = fs::exists(path_) ? read(path_) : read(previous_of(path_));
        EXPECT_TRUE(found == contents('o') || found == contents('n')) << "step " << at;
    }
}

TEST_F(DurableFile, AnErrorAtEveryStepIsReportedAndHarmless) {
    struct Case {
        int error;
        const char* words;
        const char* advice;
    };
    for (const Case& c : {Case{ENOSPC, "No space left on device", "free some space"},
                          Case{EIO, "Input/output error", "the disk or network share failed"}})
        for (const bool keep : {false, true}) {
            write('o', false);
            const int steps = count_steps(keep);
            int refused = 0;
            for (int at = 1; at <= steps; ++at) {
                write('o', keep);
                faults = {.armed = true, .at = at, .error = c.error};
                const std::string message = message_of([&] { write('n', keep); });
                const bool struck = faults.calls >= at;
                faults = {};
                ASSERT_TRUE(struck);
                ASSERT_NE(message, "(nothing was thrown)") << "step " << at;
                EXPECT_NE(message.find(path_.string()), std::string::npos) << message;
                EXPECT_NE(message.find(c.words), std::string::npos) << message;
                EXPECT_NE(message.find(c.advice), std::string::npos) << message;
                const bool after_rename = message.find("is written") != std::string::npos;
                EXPECT_EQ(read(path_), contents(after_rename ? 'n' : 'o')) << "step " << at << ": " << message;
                refused += !after_rename;
                for (const std::string& name : names()) EXPECT_EQ(name.rfind("last.bin", 0), 0u) << name;
            }
            EXPECT_EQ(refused, steps - 1);  // the last step is the folder's sync
        }
}

// The second file's rename may be what fails.
TEST_F(DurableFile, OfFilesWrittenTogetherAnErrorLeavesNone) {
    const std::vector<std::string> paths{folder_ / "a", folder_ / "b"};
    const auto write_both = [&] {
        atrous::io::write_together(paths, [](const auto& sinks) {
            for (const auto& sink : sinks) sink->write(std::string(100'000, 'x') + "end");
        });
    };
    faults = {.armed = true};
    write_both();
    const int steps = faults.calls;
    faults = {};
    EXPECT_EQ(names(), (std::set<std::string>{"a", "b"}));
    EXPECT_EQ(read(paths[1]).size(), 100'003u);
    for (int at = 1; at <= steps; ++at) {
        for (const std::string& path : paths) fs::remove(path);
        faults = {.armed = true, .at = at, .error = EIO};
        EXPECT_NE(message_of(write_both), "(nothing was thrown)") << "step " << at;
        faults = {};
        EXPECT_EQ(names(), std::set<std::string>{}) << "step " << at;
    }
}

TEST_F(DurableFile, ShortWritesAndInterruptionsAreContinued) {
    faults = {.armed = true, .stutter = true};
    write_durably(path_, [](FileSink& sink) {
        sink.write(std::string(1000, 'x'));
        sink.patch(3, "0123456789", 10);
    });
    EXPECT_GT(faults.calls, 2 * 1000 / 7);
    faults = {};
    EXPECT_EQ(read(path_), "xxx0123456789" + std::string(987, 'x'));
}

TEST_F(DurableFile, AFileSizeLimitIsAnErrorThatLeavesTheOldFile) {
    write('o', false);
    const int status = in_child([&] {
        signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{100'000, 100'000};
        setrlimit(RLIMIT_FSIZE, &limit);
        const std::string message = message_of([&] { write('n', true); });
        _exit(message.find("File too large") != std::string::npos && message.find("ulimit -f") != std::string::npos
                  ? 7
                  : 8);
    });
    EXPECT_EQ(status, 7);
    EXPECT_EQ(read(path_), contents('o'));
    EXPECT_EQ(names(), std::set<std::string>{"last.bin"});
}

TEST_F(DurableFile, AnExceptionOfTheWriterPassesThrough) {
    write('o', false);
    EXPECT_THROW(write_durably(path_,
                               [](FileSink& sink) {
                                   sink.write("half");
                                   throw atrous::NumericError("no");
                               }),
                 atrous::NumericError);
    EXPECT_EQ(read(path_), contents('o'));
    EXPECT_EQ(names(), std::set<std::string>{"last.bin"});
}

TEST_F(DurableFile, OnlyStaleTemporariesAreRemoved) {
    const std::vector<std::string> others = {".last.bin.0123456789abcde.tmp", ".last.bin.0123456789abcdeX.tmp",
                                             ".other.bin.0123456789abcdef.tmp", "last.bin.tmp", ".last.bin"};
    for (const std::string& name : others) std::ofstream(folder_ / name) << "not ours";
    std::ofstream(folder_ / ".last.bin.0123456789abcdef.tmp") << "left by a killed run";
    EXPECT_EQ(remove_stale_temporaries(path_), 1);
    write_durably(path_, [&](FileSink& sink) {
        sink.write("outer");
        EXPECT_EQ(remove_stale_temporaries(path_), 0) << "it is being written";
        write('i', false);
        EXPECT_EQ(read(path_), contents('i'));
    });
    EXPECT_EQ(read(path_), "outer");
    EXPECT_EQ(names().size(), others.size() + 1);
}

TEST_F(DurableFile, RefusesWhatIsNoRegularFile) {
    const auto fill = [](FileSink& sink) { sink.write("x"); };
    EXPECT_NE(message_of([&] { write_durably(folder_, fill); }).find("it is a folder"), std::string::npos);
    EXPECT_NE(message_of([&] { write_durably(folder_.string() + "/", fill); }).find("it is a folder"),
              std::string::npos);
    EXPECT_NE(message_of([&] { write_durably("/dev/null", fill); }).find("not a regular file"), std::string::npos);
    const std::string missing = message_of([&] { write_durably(folder_ / "no" / "file", fill); });
    EXPECT_NE(missing.find("No such file or directory"), std::string::npos) << missing;
    EXPECT_NE(missing.find("create the folder"), std::string::npos) << missing;
    const std::string too_long = message_of([&] { write_durably(folder_ / std::string(250, 'n'), fill); });
    EXPECT_NE(too_long.find("shorter name"), std::string::npos) << too_long;
}

TEST_F(DurableFile, ABareNameGoesToTheWorkingFolder) {
    const fs::path before = fs::current_path();
    fs::current_path(folder_);
    write_durably("bare.txt", [](FileSink& sink) { sink.write("here"); });
    fs::current_path(before);
    EXPECT_EQ(read(folder_ / "bare.txt"), "here");
}

}  // namespace
