#include "apps/sweep_runs.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <map>
#include <optional>

#include "apps/child_process.h"
#include "apps/exit_codes.h"
#include "apps/interrupt.h"
#include "apps/job_control.h"
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
    void send(int signal) const {
        for (const auto& [item, child] : *this) child.send(signal);
    }
    ~Running() {
        send(SIGTERM);
        for (auto& [item, child] : *this) child.wait();
    }
};

// Starts a process for each of the items, so many at once, and calls `ended` for each that has ended. After an interrupt,
// which is passed on, or where `ended` returns false none is started any more. Where `start` gives none for an item, that
// is put off behind the others; when nothing else is to be done, and was not for 10 s, it is told to `insist`. Time in
// which the process was stopped counts neither for that nor as an item's.
class ProcessQueue {
 public:
    using Start = std::function<std::optional<ChildProcess>(size_t item, bool insist)>;
    using Ended = std::function<bool(size_t item, ChildProcess&, double seconds)>;

    ProcessQueue(const std::vector<size_t>& items, int64_t jobs, Start start, Ended ended)
        : waiting_(items.begin(), items.end()), jobs_(jobs), start_(std::move(start)), ended_(std::move(ended)) {}

    void run() {
        constexpr useconds_t pause_us = 10000;
        for (bool stopping = false;;) {
            if (const int signal = interrupt_signal(); signal && !stopping) {
                running_.send(signal);
                stopping = true;
            }
            if (job_control_.is_asked()) stop();
            fill();
            take_ended();
            if (running_.empty() && (stopping || waiting_.empty())) return;
            ::usleep(pause_us);
        }
    }

 private:
    void stop() {
        const double began_s = now_s();
        running_.send(SIGSTOP);
        job_control_.stop_here();
        running_.send(SIGCONT);
        const double stopped_s = now_s() - began_s;
        idle_since_ += stopped_s;
        for (auto& [item, start_s] : starts_) start_s += stopped_s;
    }

    void fill() {
        constexpr double most_s = 10;
        if (!running_.empty() || waiting_.empty()) idle_since_ = now_s();
        const bool insist = now_s() - idle_since_ > most_s;
        for (size_t tries = waiting_.size(); tries > 0 && int64_t(running_.size()) < jobs_ && !interrupt_signal();
             --tries) {
            const size_t item = waiting_.front();
            waiting_.pop_front();
            starts_[item] = now_s();
            if (auto child = start_(item, insist))
                running_.emplace(item, std::move(*child));
            else
                waiting_.push_back(item);
        }
    }

    void take_ended() {
        for (auto at = running_.begin(); at != running_.end();) {
            if (!at->second.exit_code()) {
                ++at;
                continue;
            }
            if (!ended_(at->first, at->second, now_s() - starts_[at->first])) waiting_.clear();
            at = running_.erase(at);
        }
    }

    std::deque<size_t> waiting_;
    const int64_t jobs_;
    const Start start_;
    const Ended ended_;
    double idle_since_ = now_s();
    std::map<size_t, double> starts_;  // of the items
    JobControl job_control_;
    Running running_;
};

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
    const auto start = [&](size_t i, bool) {
        const std::string run = folder + "/" + name_of(plan.points[i]);
        return ChildProcess({"train", "--dry-run", "--output-dir", run},
                            config_of(experiment_of(plan, plan.points[i])));
    };
    const auto ended = [&](size_t i, ChildProcess& child, double) {
        console.progress("checking trainings", ++done, int64_t(all.size()));
        if (const int its = *child.exit_code(); its != exit_ok && code == exit_ok) {
            code = its;
            what = name_of(plan.points[i]) + ": " + child.complaint();
        }
        return code == exit_ok;
    };
    ProcessQueue(all, jobs, start, ended).run();
    if (code != exit_ok && !interrupt_signal()) throw_again(code, what);
}

SweepRuns::SweepRuns(const sweep::Plan& plan, const sweep::SweepFolder& folder, int64_t jobs, Console& console)
    : plan_(plan), folder_(folder), jobs_(jobs), console_(console) {
    for (const sweep::Point& point : plan.points) {
        experiments_.push_back(experiment_of(plan, point));
        results_.push_back(sweep::read_result(folder.run(name_of(point)), experiments_.back()));
        const auto failure = plan.failures.find(name_of(point));
        if (failure != plan.failures.end() && results_.back().state != State::done)
            results_.back().failure = failure->second;
    }
}

std::map<std::string, std::string> SweepRuns::failures() const {
    std::map<std::string, std::string> failures;
    for (size_t i = 0; i < results_.size(); ++i)
        if (!results_[i].failure.empty()) failures[name_of(plan_.points[i])] = results_[i].failure;
    return failures;
}

std::vector<std::string> SweepRuns::arguments_of(size_t i) const {
    const std::string run = run_of(i);
    if (results_[i].state == State::waiting) return {"train", "--output-dir", run};
    std::vector<std::string> words{"train", "--resume", run};
    for (const std::string& word : settings_of_start(experiments_[i])) words.push_back(word);
    return words;
}

// Whether another process uses the run folder: a training that was killed together with an earlier start may need a
// moment to be gone, and one that somebody else has begun there any time.
bool SweepRuns::is_locked(size_t i) {
    try {
        RunLock::check_free(run_of(i));
        return false;
    } catch (const IoError& e) {
        if (put_off_.insert(i).second) console_.text(fmt::format("put off: {}\n", e.what()));
        return true;
    }
}

// Those that failed before come last.
std::vector<size_t> SweepRuns::in_order() {
    std::vector<size_t> items, failed;
    for (size_t i = 0; i < results_.size(); ++i)
        if (results_[i].state != State::done) (results_[i].failure.empty() ? items : failed).push_back(i);
    constexpr size_t most_lines = 20;
    for (size_t k = 0; k < std::min(failed.size(), most_lines); ++k)
        console_.text(fmt::format("failed before, and is tried again after the others: {}: {}\n",
                                  name_of(plan_.points[failed[k]]), results_[failed[k]].failure));
    if (failed.size() > most_lines)
        console_.text(fmt::format("… and {} more, which {} has\n", failed.size() - most_lines, folder_.results()));
    items.insert(items.end(), failed.begin(), failed.end());
    return items;
}

void SweepRuns::say_end(size_t i, bool failed, double seconds) {
    const Result& r = results_[i];
    const std::string name = name_of(plan_.points[i]);
    trained_s_ += seconds;
    std::string line = fmt::format("{} of {} done", results_.size() - left_, results_.size());
    if (left_ > 0) {
        const double rounds = double(left_) / double(std::min(left_, size_t(jobs_)));
        line += fmt::format(", about {} left", io::format_duration(trained_s_ / double(ended_) * rounds));
    }
    if (failed)
        line += fmt::format("; failed: {}: {}", name, r.failure);
    else
        line +=
            fmt::format("; {}: {} {} in epoch {}{} ({})", name, experiments_[i].trainer.monitor, score_text(r.score),
                        r.best_epoch, r.state == State::done ? "" : ", not finished", io::format_duration(seconds));
    console_.text(line + "\n");
}

// A failure is kept until the training is done: one that was stopped while it was tried again is still to be proved.
void SweepRuns::read_again(size_t i) {
    const std::string failure = results_[i].failure;
    results_[i] = sweep::read_result(run_of(i), experiments_[i]);
    if (results_[i].state != State::done) results_[i].failure = failure;
}

bool SweepRuns::note_end(size_t i, int code, const std::string& complaint) {
    read_again(i);
    const bool stopped = interrupt_signal() && code == exit_after_signal(interrupt_signal());
    if (code == exit_ok || stopped) return false;
    results_[i].failure = fmt::format("{} (exit code {})", complaint, code);
    return true;
}

void SweepRuns::train(const std::function<void()>& ended) {
    const std::vector<size_t> items = in_order();
    left_ = items.size();
    if (left_ > 0 && left_ < results_.size())
        console_.text(fmt::format("{} of {} trainings are done already\n", results_.size() - left_, results_.size()));
    const auto start = [&](size_t i, bool insist) -> std::optional<ChildProcess> {
        if (is_locked(i) && !insist) return std::nullopt;
        read_again(i);  // somebody else may have begun it, or gone on with it
        const bool anew = results_[i].state == State::waiting;
        return ChildProcess(arguments_of(i), anew ? config_of(experiments_[i]) : "");
    };
    const auto note = [&](size_t i, ChildProcess& child, double seconds) {
        const bool failed = note_end(i, *child.exit_code(), child.complaint());
        if (!interrupt_signal()) --left_, ++ended_, say_end(i, failed, seconds);
        ended();
        return true;
    };
    ProcessQueue(items, jobs_, start, note).run();
}

}  // namespace atrous::app
