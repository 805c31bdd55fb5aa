// Progress of training on the terminal: one line that is redrawn, or plain lines in a file or pipe.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace atrous::app {

struct ProgressState {
    int64_t epoch = 0, epochs = 0;    // from 1
    int64_t step = 0, steps = 0;      // of this epoch
    std::optional<double> loss = {};  // none before the first step of the run
    double images_per_s = 0;          // 0: not known yet
    double eta_s = -1;                // to the end of the run; negative: not known yet
};

// The line for a terminal: at most `width` columns. What matters less goes first where it is narrow.
std::string progress_bar_line(const ProgressState& state, int width, bool utf8);
// The same in plain words.
std::string progress_plain_line(const ProgressState& state);

// Used from one thread. The cursor is never hidden and nothing is switched on that a kill would leave on: the line
// ends where the next output may begin, and the destructor ends it with a newline.
class Progress {
 public:
    struct Settings {
        std::FILE* out = stderr;
        std::FILE* lines = nullptr;   // where lines go that stay; null: to `out` as well
        double plain_interval_s = 5;  // between lines where `out` is no terminal
        // Replaced in tests:
        int terminal = -1;                   // 1 or 0; -1: ask the stream
        int width = 0;                       // 0: ask at every redraw, so that a resized window is followed
        std::function<double()> clock = {};  // seconds; a steady clock if empty
    };
    Progress();
    explicit Progress(Settings settings);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // Epochs count from 1. first_step > 0 where a resumed run begins in the middle.
    void start_epoch(int64_t epoch, int64_t epochs, int64_t steps, int64_t first_step = 0);
    // After each step: how many are done in this epoch, the loss known last, the images of this step.
    void step(int64_t done, double loss, int64_t images);
    // Between an epoch's last step and its end.
    void validating(int64_t done, int64_t of, std::string_view what = "validating");
    // Leaves a line: the epoch's number, its time, and the summary ("train loss 0.31, val dice 0.87").
    void end_epoch(std::string_view summary = {});
    // A line of its own that stays (a warning), above the bar.
    void message(std::string_view line);

 private:
    void measure(int64_t images);
    void draw();
    void put(std::string_view text);
    void put_line(const std::string& text);
    void clear_line();

    Settings settings_;
    bool terminal_, utf8_;
    ProgressState state_;
    bool line_open_ = false;  // the bar is on the screen
    double epoch_start_s_ = 0, last_draw_s_ = -1e300;
    // The first step of a run pays for compilation, tuning and cold caches: rates begin after it.
    double first_step_s_ = -1, last_step_s_ = 0, seconds_per_image_ = 0;
    int64_t steps_done_ = 0;  // of this run
};

}  // namespace atrous::app
