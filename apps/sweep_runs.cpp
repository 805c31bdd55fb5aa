#include "apps/sweep_runs.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>

#include "apps/child_process.h"
#include "apps/exit_codes.h"
#include "apps/interrupt.h"
#include "base/error.h"
#include "base/text.h"
#include "segmentation/run_lock.h"
#include "segmentation/score_text.h"

namespace atrous::app {
namespace {

using sweep::Result;
using State = Result::State;

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// The trainings that run; where an error ends the sweep they save as after an interrupt.
struct Running : std::map<size_t, ChildProcess> {
    ~Running() {
        for (const auto& [item, child] : *this) child.send(SIGTERM);
        for (auto& [item, child] : *this) child.wait();
    }
};

// Starts a process for each of the items, so many at once, and calls `ended` for each that has ended. After an interrupt,
// which is passed on, or where `ended` returns false none is started any more.
void run_all(const std::vector<size_t>& items, int64_t jobs, const std::function<ChildProcess(size_t)>& start,
             const std::function<bool(size_t, ChildProcess&)>& ended) {
    constexpr useconds_t pause_us = 10000;
    Running running;
    size_t next = 0;
    for (bool stopping = false;;) {
        if (const int signal = interrupt_signal(); signal && !stopping) {
            for (const auto& [item, child] : running) child.send(signal);
            stopping = true;
        }
        for (; !interrupt_signal() && next < items.size() && int64_t(running.size()) < jobs; ++next)
            running.emplace(items[next], start(items[next]));
        for (auto at = running.begin(); at != running.end();) {
            if (!at->second.exit_code()) {
                ++at;
                continue;
            }
            if (!ended(at->first, at->second)) next = items.size();
            at = running.erase(at);
        }
        if (running.empty() && (stopping || next == items.size())) return;
        ::usleep(pause_us);
    }
}

[[noreturn]] void throw_again(int code, const std::string& what) {
    switch (code) {
        case exit_usage:
            throw UsageError(what);
        case exit_data:
            throw DataError(what);
        case exit_io:
            throw IoError(what);
        case exit_device:
            throw GpuError(what);
        case exit_memory:
            throw MemoryError(what);
        default:
            throw Error(what);
    }
}

// What a training that goes on takes from this start rather than from its config.toml.
std::vector<std::string> settings_of_start(Experiment e) {
    Settings settings;
    describe(settings, e);
    std::vector<std::string> words;
    for (const std::string& key : sweep::settings_without_result())
        words.insert(words.end(), {fmt::format("--{}", key), sweep::value_of(settings.at(key))});
    return words;
}

}  // namespace

void check_trainings(const sweep::Plan& plan, const std::string& folder, int64_t jobs, Console& console) {
    std::vector<size_t> all;
    for (size_t i = 0; i < plan.points.size(); ++i) all.push_back(i);
    int64_t done = 0;
    int code = exit_ok;
    std::string what;
    const auto start = [&](size_t i) {
        const std::string run = folder + "/" + name_of(plan.points[i]);
        return ChildProcess({"train", "--dry-run", "--output-dir", run},
                            config_of(experiment_of(plan, plan.points[i])));
    };
    run_all(all, jobs, start, [&](size_t i, ChildProcess& child) {
        console.progress("checking trainings", ++done, int64_t(all.size()));
        if (const int ended = *child.exit_code(); ended != exit_ok && code == exit_ok) {
            code = ended;
            what = name_of(plan.points[i]) + ": " + child.complaint();
        }
        return code == exit_ok;
    });
    if (code != exit_ok && !interrupt_signal()) throw_again(code, what);
}

SweepRuns::SweepRuns(const sweep::Plan& plan, const sweep::SweepFolder& folder, int64_t jobs, Console& console)
    : plan_(plan), folder_(folder), jobs_(jobs), console_(console) {
    for (const sweep::Point& point : plan.points) {
        experiments_.push_back(experiment_of(plan, point));
        results_.push_back(sweep::read_result(folder.run(name_of(point)), experiments_.back()));
    }
}

std::vector<std::string> SweepRuns::arguments_of(size_t i) const {
    const std::string run = folder_.run(name_of(plan_.points[i]));
    if (results_[i].state == State::waiting) return {"train", "--output-dir", run};
    std::vector<std::string> words{"train", "--resume", run};
    for (const std::string& word : settings_of_start(experiments_[i])) words.push_back(word);
    return words;
}

// A training that was killed together with an earlier start may need a moment to be gone.
void SweepRuns::wait_until_free(const std::string& folder) {
    constexpr double most_s = 10;
    const double began = now_s();
    for (bool said = false; now_s() - began < most_s && !interrupt_signal(); ::usleep(50000)) {
        try {
            return RunLock::check_free(folder);
        } catch (const IoError& e) {
            if (!std::exchange(said, true)) console_.text(fmt::format("waiting: {}\n", e.what()));
        }
    }
}

void SweepRuns::say_end(size_t i, double seconds) {
    const Result& r = results_[i];
    const std::string name = name_of(plan_.points[i]);
    trained_s_ += seconds;
    std::string line = fmt::format("{} of {} done", results_.size() - left_, results_.size());
    if (left_ > 0) {
        const double rounds = double(left_) / double(std::min(left_, size_t(jobs_)));
        line += fmt::format(", about {} left", io::format_duration(trained_s_ / double(ended_) * rounds));
    }
    if (!r.failure.empty())
        line += fmt::format("; failed: {}: {}", name, r.failure);
    else
        line +=
            fmt::format("; {}: {} {} in epoch {}{} ({})", name, experiments_[i].trainer.monitor, score_text(r.score),
                        r.best_epoch, r.state == State::done ? "" : ", not finished", io::format_duration(seconds));
    console_.text(line + "\n");
}

void SweepRuns::note_end(size_t i, int code, const std::string& complaint) {
    results_[i] = sweep::read_result(folder_.run(name_of(plan_.points[i])), experiments_[i]);
    const bool stopped = interrupt_signal() && code == exit_after_signal(interrupt_signal());
    if (code != exit_ok && !stopped) results_[i].failure = fmt::format("{} (exit code {})", complaint, code);
}

void SweepRuns::train(const std::function<void()>& ended) {
    std::vector<size_t> items;
    for (size_t i = 0; i < results_.size(); ++i)
        if (results_[i].state != State::done) items.push_back(i);
    left_ = items.size();
    if (left_ > 0 && left_ < results_.size())
        console_.text(fmt::format("{} of {} trainings are done already\n", results_.size() - left_, results_.size()));
    std::map<size_t, double> starts;
    const auto start = [&](size_t i) {
        starts[i] = now_s();
        wait_until_free(folder_.run(name_of(plan_.points[i])));
        const bool anew = results_[i].state == State::waiting;
        return ChildProcess(arguments_of(i), anew ? config_of(experiments_[i]) : "");
    };
    run_all(items, jobs_, start, [&](size_t i, ChildProcess& child) {
        note_end(i, *child.exit_code(), child.complaint());
        if (!interrupt_signal()) --left_, ++ended_, say_end(i, now_s() - starts[i]);
        ended();
        return true;
    });
}

}  // namespace atrous::app
