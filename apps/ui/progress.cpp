#include "apps/ui/progress.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "apps/ui/terminal.h"
#include "base/text.h"
#include "base/text_columns.h"

namespace atrous::app {
namespace {

constexpr double redraw_interval_s = 0.1;
constexpr double rate_memory_s = 5;  // the shown rate is a running mean over about this time
constexpr std::string_view to_line_start_and_clear = "\r\x1b[K";

double steady_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double fraction_of(const ProgressState& s) {
    return s.steps > 0 ? std::clamp(double(s.step) / double(s.steps), 0.0, 1.0) : 0.0;
}

std::string bar(double fraction, int columns, bool utf8) {
    if (!utf8) {
        const int filled = int(fraction * (columns - 2));
        return "[" + std::string(size_t(filled), '#') + std::string(size_t(columns - 2 - filled), '.') + "]";
    }
    static constexpr const char* eighths[] = {"▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const int filled = int(fraction * columns * 8);
    std::string text;
    for (int i = 0; i < columns; ++i) {
        const int here = filled - 8 * i;
        text += here >= 8 ? "█" : here > 0 ? eighths[here - 1] : i == 0 ? "▏" : "·";
    }
    return text;
}

std::string rate_text(double images_per_s) {
    return fmt::format("{:.{}f} images/s", images_per_s, images_per_s < 10 ? 2 : images_per_s < 100 ? 1 : 0);
}

std::string eta_text(double seconds) {
    return "ETA " + (seconds < 10 ? fmt::format("{:.0f} s", std::ceil(seconds)) : io::format_duration(seconds));
}

}  // namespace

std::string progress_bar_line(const ProgressState& s, int width, bool utf8) {
    constexpr int narrowest_bar = 8, widest_bar = 40;
    const std::string epoch = fmt::format("epoch {}/{}", s.epoch, s.epochs);
    const int step_columns = int(std::to_string(s.steps).size());
    const std::string step = fmt::format("{:>{}}/{}", s.step, step_columns, s.steps);
    // In the order of what is given up last; the bar takes what is left.
    std::string fields[] = {fmt::format("{:3.0f}%", std::floor(100 * fraction_of(s))),
                            s.loss ? fmt::format("loss {:.4g}", *s.loss) : "", s.eta_s < 0 ? "" : eta_text(s.eta_s),
                            step, s.images_per_s > 0 ? rate_text(s.images_per_s) : ""};
    int used = columns_of(epoch);
    bool shown[5] = {};
    for (size_t i = 0; i < 5; ++i) {
        const int wanted = columns_of(fields[i]) + 1;
        if (fields[i].empty() || used + wanted > width) continue;
        shown[i] = true;
        used += wanted;
    }
    const int bar_columns = std::min(widest_bar, width - used - 1);
    std::string line = epoch;
    if (bar_columns >= narrowest_bar) line += ' ' + bar(fraction_of(s), bar_columns, utf8);
    for (const size_t i : {0, 3, 1, 4, 2})
        if (shown[i]) line += ' ' + fields[i];
    return cut_to_columns(line, width);
}

std::string progress_plain_line(const ProgressState& s) {
    std::string line = fmt::format("epoch {}/{} step {}/{}", s.epoch, s.epochs, s.step, s.steps);
    if (s.loss) line += fmt::format(" loss {:.4g}", *s.loss);
    if (s.images_per_s > 0) line += ", " + rate_text(s.images_per_s);
    if (s.eta_s >= 0) line += ", " + eta_text(s.eta_s);
    return line;
}

Progress::Progress() : Progress(Settings{}) {}

Progress::Progress(Settings settings)
    : settings_(std::move(settings)),
      terminal_(settings_.terminal < 0 ? is_terminal(settings_.out) : settings_.terminal == 1),
      utf8_(locale_is_utf8()) {
    if (!settings_.clock) settings_.clock = steady_seconds;
}

Progress::~Progress() {
    if (line_open_) put("\n");
}

void Progress::start_epoch(int64_t epoch, int64_t epochs, int64_t steps, int64_t first_step) {
    state_.epoch = epoch;
    state_.epochs = epochs;
    state_.steps = steps;
    state_.step = first_step;
    epoch_start_s_ = last_step_s_ = settings_.clock();
    if (terminal_) draw();
}

void Progress::step(int64_t done, double loss, int64_t images) {
    state_.step = done;
    state_.loss = loss;
    measure(images);
    const double now = last_step_s_;
    if (now - last_draw_s_ >= (terminal_ ? redraw_interval_s : settings_.plain_interval_s) ||
        (terminal_ && done == state_.steps))
        draw();
}

void Progress::measure(int64_t images) {
    const double now = settings_.clock(), taken = now - last_step_s_;
    last_step_s_ = now;
    if (++steps_done_ == 1) {
        first_step_s_ = now;
        return;
    }
    if (images > 0 && taken >= 0) {
        const double per_image = taken / double(images), old_weight = std::exp(-taken / rate_memory_s);
        seconds_per_image_ =
            steps_done_ == 2 ? per_image : old_weight * seconds_per_image_ + (1 - old_weight) * per_image;
        state_.images_per_s = seconds_per_image_ > 0 ? 1 / seconds_per_image_ : 0;
    }
    // All time since the first step counts here, validation and checkpoints too: they will come again.
    const int64_t left = (state_.epochs - state_.epoch + 1) * state_.steps - state_.step;
    state_.eta_s = double(std::max<int64_t>(left, 0)) * (now - first_step_s_) / double(steps_done_ - 1);
}

void Progress::validating(int64_t done, int64_t of, std::string_view what) {
    const double now = settings_.clock();
    if (now - last_draw_s_ < (terminal_ ? redraw_interval_s : settings_.plain_interval_s)) return;
    last_draw_s_ = now;
    const std::string line = fmt::format("epoch {}/{} {} {}/{}", state_.epoch, state_.epochs, what, done, of);
    if (!terminal_) return put(line + "\n");
    const int width = (settings_.width > 0 ? settings_.width : terminal_width(settings_.out)) - 1;
    put(std::string(to_line_start_and_clear) + cut_to_columns(line, width));
    line_open_ = true;
}

void Progress::end_epoch(std::string_view summary) {
    clear_line();
    std::string line = fmt::format("epoch {}/{}", state_.epoch, state_.epochs);
    if (!summary.empty()) line += fmt::format(" {}", summary);
    put_line(line + fmt::format(" ({})\n", io::format_duration(settings_.clock() - epoch_start_s_)));
    last_draw_s_ = settings_.clock();
}

void Progress::message(std::string_view line) {
    const bool redraw = line_open_;
    clear_line();
    put_line(std::string(line) + "\n");
    if (redraw) draw();
}

void Progress::draw() {
    last_draw_s_ = settings_.clock();
    if (!terminal_) return put(progress_plain_line(state_) + "\n");
    // One column stays free: some terminals wrap as soon as the last one is written.
    const int width = (settings_.width > 0 ? settings_.width : terminal_width(settings_.out)) - 1;
    put(std::string(to_line_start_and_clear) + progress_bar_line(state_, width, utf8_));
    line_open_ = true;
}

void Progress::clear_line() {
    if (line_open_) put(to_line_start_and_clear);
    line_open_ = false;
}

void Progress::put_line(const std::string& text) {
    std::FILE* lines = settings_.lines ? settings_.lines : settings_.out;
    std::fwrite(text.data(), 1, text.size(), lines);
    std::fflush(lines);
}

void Progress::put(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), settings_.out);
    std::fflush(settings_.out);
}

}  // namespace atrous::app
