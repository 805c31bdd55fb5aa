#include "apps/ui/progress.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "apps/ui/terminal.h"
#include "base/text_columns.h"

namespace {

using namespace atrous;
using namespace atrous::app;

// What a Progress writes, with a clock that the test moves.
class Recorded {
 public:
    explicit Recorded(bool terminal, double plain_interval_s = 5) : file_(std::tmpfile()) {
        progress = std::make_unique<Progress>(Progress::Settings{.out = file_,
                                                                 .plain_interval_s = plain_interval_s,
                                                                 .terminal = terminal ? 1 : 0,
                                                                 .width = 80,
                                                                 .clock = [this] { return now; }});
    }
    ~Recorded() {
        progress.reset();
        std::fclose(file_);
    }
    std::string written() {
        std::string text(size_t(std::ftell(file_)), '\0');
        std::rewind(file_);
        EXPECT_EQ(std::fread(text.data(), 1, text.size(), file_), text.size());
        return text;
    }
    double now = 1000;
    std::unique_ptr<Progress> progress;

 private:
    std::FILE* file_;
};

size_t occurrences(const std::string& text, const std::string& of) {
    size_t n = 0;
    for (size_t at = text.find(of); at != text.npos; at = text.find(of, at + of.size())) ++n;
    return n;
}

// The screen's lines after the text, as a terminal that knows \r, \n and "clear to the end" shows them.
std::vector<std::string> screen_of(const std::string& text) {
    std::vector<std::string> lines(1);
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n')
            lines.emplace_back();
        else if (text.compare(i, 4, "\r\x1b[K") == 0)
            lines.back().clear(), i += 3;
        else
            lines.back() += text[i];
    }
    return lines;
}

const ProgressState sample{
    .epoch = 3, .epochs = 40, .step = 310, .steps = 500, .loss = 0.12345, .images_per_s = 84.23, .eta_s = 7680};

TEST(ProgressLine, FullWidth) {
    EXPECT_EQ(progress_bar_line(sample, 100, false),
              "epoch 3/40 [####################.............]  62% 310/500 loss 0.1235 84.2 images/s ETA 2 h 08 min");
    EXPECT_EQ(columns_of(progress_bar_line(sample, 100, true)), 100);
    EXPECT_NE(progress_bar_line(sample, 100, true).find("█"), std::string::npos);
}

TEST(ProgressLine, FitsEveryWidthAndKeepsWhatMattersMost) {
    for (const bool utf8 : {false, true})
        for (int width = 0; width <= 200; ++width) {
            const std::string line = progress_bar_line(sample, width, utf8);
            EXPECT_LE(columns_of(line), width) << line;
            EXPECT_TRUE(width < 27 || line.find("loss 0.1235") != std::string::npos) << width << ": " << line;
            EXPECT_TRUE(width < 15 || line.find(" 62%") != std::string::npos) << width << ": " << line;
        }
}

TEST(ProgressLine, TheBarIsEmptyAtTheBeginningAndFullAtTheEnd) {
    ProgressState s{.epoch = 1, .epochs = 1, .step = 0, .steps = 7};
    EXPECT_NE(progress_bar_line(s, 60, false).find("[......"), std::string::npos);
    EXPECT_EQ(progress_bar_line(s, 60, false).find('#'), std::string::npos);
    EXPECT_EQ(progress_bar_line(s, 60, false).find("loss"), std::string::npos);  // none yet
    s.step = 7;
    EXPECT_EQ(progress_bar_line(s, 60, false).find("loss"), std::string::npos);  // resumed at the end of an epoch
    EXPECT_EQ(progress_bar_line(s, 60, false).find('.'), std::string::npos);
    EXPECT_NE(progress_bar_line(s, 60, false).find("100%"), std::string::npos);
    s.step = 6;
    EXPECT_NE(progress_bar_line(s, 60, false).find(" 85%"), std::string::npos);  // rounded down: 100 % means done
    s.steps = 0;
    EXPECT_LE(columns_of(progress_bar_line(s, 60, true)), 60);
    s.loss = NAN;
    EXPECT_NE(progress_bar_line(s, 60, true).find("loss nan"), std::string::npos);
}

TEST(ProgressOnATerminal, RedrawsOneLineAtMostTenTimesASecond) {
    Recorded r(true);
    r.progress->start_epoch(1, 2, 1000);
    for (int i = 1; i <= 1000; ++i) {  // 10 s
        r.now += 0.01;
        r.progress->step(i, 1.0 / i, 4);
    }
    std::string text = r.written();
    EXPECT_EQ(text.find('\n'), std::string::npos);
    EXPECT_LE(occurrences(text, "\r"), 102u);
    EXPECT_GE(occurrences(text, "\r"), 80u);
    EXPECT_NE(text.find("400 images/s"), std::string::npos);
    EXPECT_NE(screen_of(text).back().find("100%"), std::string::npos)
        << screen_of(text).back();  // the last step is drawn
    r.progress->end_epoch("train loss 0.001, val dice 0.87");
    r.progress->message("a warning");
    text = r.written();
    EXPECT_EQ(screen_of(text),
              (std::vector<std::string>{"epoch 1/2 train loss 0.001, val dice 0.87 (10 s)", "a warning", ""}));
    EXPECT_EQ(text.find("\x1b[?"), std::string::npos);  // no mode is switched that a kill would leave on
}

// The bar on stderr, what stays on stdout: `atrous train … >log` keeps the epochs.
TEST(ProgressOnATerminal, LinesThatStayMayGoElsewhere) {
    std::FILE *bar = std::tmpfile(), *lines = std::tmpfile();
    {
        Progress progress({.out = bar, .lines = lines, .terminal = 1, .width = 60, .clock = [] { return 1.0; }});
        progress.start_epoch(1, 1, 2);
        progress.step(2, 0.5, 4);
        progress.end_epoch("done");
        progress.message("a warning");
    }
    const auto text_of = [](std::FILE* file) {
        std::string text(1000, 0);
        std::rewind(file);
        text.resize(std::fread(text.data(), 1, text.size(), file));
        std::fclose(file);
        return text;
    };
    EXPECT_EQ(text_of(lines), "epoch 1/1 done (0.00 s)\na warning\n");
    EXPECT_EQ(screen_of(text_of(bar)).back(), "") << "the bar is wiped before a line is written";
}

TEST(ProgressOnATerminal, MessagesStayAboveTheBarAndTheEndLeavesACleanLine) {
    Recorded r(true);
    r.progress->start_epoch(1, 1, 10);
    r.now += 1;
    r.progress->step(1, 0.5, 4);
    r.progress->message("first");
    const auto lines = screen_of(r.written());
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0], "first");
    EXPECT_NE(lines[1].find("loss 0.5"), std::string::npos);
    const auto before = r.written();
    r.progress.reset();  // as when an exception passes
    EXPECT_EQ(r.written(), before + "\n");
}

TEST(ProgressInAFile, PlainLinesEveryFewSeconds) {
    Recorded r(false);
    r.progress->start_epoch(1, 2, 100);
    for (int i = 1; i <= 100; ++i) {
        r.now += 0.25;  // 25 s an epoch
        r.progress->step(i, 0.5, 4);
    }
    r.progress->end_epoch("val dice 0.9");
    const std::string text = r.written();
    EXPECT_EQ(text.find('\r'), std::string::npos);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    const auto lines = screen_of(text);
    ASSERT_EQ(lines.size(), 7u);  // at 0.25, 5.25, … 20.25 s, the summary, and what follows its newline
    EXPECT_EQ(lines[1], "epoch 1/2 step 21/100 loss 0.5, 16.0 images/s, ETA 45 s");  // 79 + 100 steps of .25 s
    EXPECT_EQ(lines[5], "epoch 1/2 val dice 0.9 (25 s)");
}

TEST(ProgressInAFile, AValidationThatTakesLongIsShown) {
    Recorded r(false);
    r.progress->start_epoch(1, 2, 1);
    r.now += 1;
    r.progress->step(1, 0.5, 4);
    for (int i = 1; i <= 30; ++i) {
        r.now += 0.25;
        r.progress->validating(4 * i, 120);
    }
    EXPECT_NE(r.written().find("epoch 1/2 validating 80/120\n"), std::string::npos) << r.written();
    r.now += 60;
    r.progress->validating(4, 12, "statistics of the mean");
    EXPECT_NE(r.written().find("epoch 1/2 statistics of the mean 4/12\n"), std::string::npos) << r.written();
}

TEST(ProgressRates, TheFirstStepDoesNotCountAndValidationDoes) {
    Recorded r(false, 1);
    r.progress->start_epoch(1, 3, 10);
    r.now += 60;  // tuning
    r.progress->step(1, 0.5, 8);
    for (int i = 2; i <= 10; ++i) {
        r.now += 1;
        r.progress->step(i, 0.5, 8);
    }
    EXPECT_NE(r.written().find("step 6/10 loss 0.5, 8.00 images/s, ETA 24 s"), std::string::npos) << r.written();
    r.now += 11;  // validation
    r.progress->end_epoch();
    r.progress->start_epoch(2, 3, 10);
    r.now += 1;
    r.progress->step(1, 0.5, 8);
    // 10 steps since the first took 9 + 11 + 1 s; 19 are left. The rate is that of the steps alone.
    EXPECT_NE(r.written().find("epoch 2/3 step 1/10 loss 0.5, 8.00 images/s, ETA 40 s"), std::string::npos)
        << r.written();
}

TEST(Terminal, Text) {
    EXPECT_EQ(columns_of("aä█"), 3);
    EXPECT_EQ(cut_to_columns("aä█b", 2), "aä");
    EXPECT_EQ(cut_to_columns("ab", 5), "ab");
    EXPECT_EQ(wrap("one two  three", 7), (std::vector<std::string>{"one two", "three"}));
    EXPECT_EQ(wrap("averylongword x", 4), (std::vector<std::string>{"averylongword", "x"}));
}

}  // namespace
