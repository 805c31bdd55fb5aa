#include "segmentation/sweep/results.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"
#include "base/text_columns.h"
#include "engine/io/checkpoint.h"
#include "segmentation/resumed_run.h"
#include "segmentation/score_files.h"
#include "segmentation/score_text.h"

namespace atrous::sweep {
namespace {

using State = Result::State;

double seconds_of(const std::string& metrics) {
    std::ifstream in(metrics);
    std::string line;
    double seconds = 0;
    std::getline(in, line);  // the heading
    while (std::getline(in, line)) seconds += std::strtod(line.c_str() + line.rfind(',') + 1, nullptr);
    return seconds;
}

Point without_repeats(const Point& point) {
    Point kept;
    for (const Value& value : point)
        if (!repeats(value.key)) kept.push_back(value);
    return kept;
}

void average(Group& group, const std::vector<Result>& results) {
    std::vector<double> scores;
    for (const size_t i : group.members)
        if (results[i].failure.empty() && !std::isnan(results[i].score)) scores.push_back(results[i].score);
    group.scored = scores.size();
    if (scores.empty()) return;
    double sum = 0, squares = 0;
    for (const double score : scores) sum += score;
    group.mean = sum / double(scores.size());
    for (const double score : scores) squares += std::pow(score - group.mean, 2);
    if (scores.size() > 1) group.spread = std::sqrt(squares / double(scores.size() - 1));
}

using Rows = std::vector<std::vector<std::string>>;

std::string in_columns(const Rows& rows) {
    std::vector<int> widths(rows.front().size());
    for (const auto& row : rows)
        for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], columns_of(row[c]));
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (size_t c = 0; c < row.size(); ++c)
            line += row[c] + std::string(c + 1 < row.size() ? size_t(widths[c] - columns_of(row[c]) + 2) : 0, ' ');
        text += line + "\n";
    }
    return text;
}

std::vector<std::string> group_row(const Group& group, const Plan& plan, const std::vector<Result>& results) {
    const size_t first = group.members.front();
    std::vector<std::string> row{group.rank > 0 ? fmt::format("{}", group.rank) : "-"};
    for (const Value& value : without_repeats(plan.points[first])) row.push_back(value.text);
    std::string score = score_text(group.mean), epoch = "-", folder = name_of(plan.points[first]);
    double seconds = 0;
    int64_t epochs = 0;
    for (const size_t i : group.members) seconds += results[i].seconds, epochs += results[i].epochs;
    if (group.members.size() > 1) {
        score += fmt::format(" ± {}", group.scored > 1 ? score_text(group.spread) : "-");
        folder = fmt::format("{} of {} trainings", group.scored, group.members.size());
    } else if (results[first].best_epoch > 0) {
        epoch = fmt::format("{}", results[first].best_epoch);
    }
    for (const std::string& cell : {score, epoch, fmt::format("{}", epochs), io::format_duration(seconds), folder})
        row.push_back(cell);
    return row;
}

std::string unfinished_lines(const Plan& plan, const std::vector<Result>& results) {
    std::string lines;
    for (size_t i = 0; i < results.size(); ++i) {
        const Result& r = results[i];
        const std::string name = name_of(plan.points[i]);
        if (!r.failure.empty())
            lines += fmt::format("failed: {}: {}\n", name, r.failure);
        else if (r.state == State::begun)
            lines += fmt::format("not finished: {}: stands in epoch {}\n", name, r.epochs + 1);
        else if (r.state == State::waiting)
            lines += fmt::format("not begun: {}\n", name);
    }
    return lines;
}

const char* word_of(const Result& r) {
    if (!r.failure.empty()) return "failed";
    return r.state == State::done ? "done" : r.state == State::begun ? "begun" : "waiting";
}

}  // namespace

Result read_result(const std::string& folder, const Experiment& e) {
    Result result;
    if (!path_exists(folder + "/last.safetensors") && !path_exists(folder + "/last.safetensors.previous"))
        return result;
    result.state = State::begun;
    TrainProgress p;
    try {
        p = io::training_progress(io::SafetensorsFile(checkpoint_to_resume(folder)));
    } catch (const FormatError&) {
        return result;  // resuming says what is wrong with it
    }
    result.epochs = p.epoch;
    result.seconds = seconds_of(folder + "/metrics.csv");
    const bool validates = p.best_epoch >= 0 && !std::isnan(p.best_loss);
    if (validates && p.best_score > std::numeric_limits<double>::lowest()) {
        result.best_epoch = p.best_epoch + 1;
        result.score = higher_is_better(p.monitor) ? p.best_score : -p.best_score;
    }
    const bool scored = !validates || path_exists(folder + "/confusion.csv");
    if ((p.epoch >= e.trainer.epochs || is_out_of_patience(p, e.trainer)) && scored) result.state = State::done;
    return result;
}

std::vector<Group> ranked(const Plan& plan, const std::vector<Result>& results, bool higher_is_better) {
    std::vector<Group> groups;
    std::map<Point, size_t> places;  // of the groups
    for (size_t i = 0; i < plan.points.size(); ++i) {
        const auto [place, is_new] = places.emplace(without_repeats(plan.points[i]), groups.size());
        if (is_new) groups.emplace_back();
        groups[place->second].members.push_back(i);
    }
    for (Group& group : groups) average(group, results);
    std::stable_sort(groups.begin(), groups.end(), [&](const Group& a, const Group& b) {
        if (a.scored == 0 || b.scored == 0) return a.scored > 0 && b.scored == 0;
        return higher_is_better ? a.mean > b.mean : a.mean < b.mean;
    });
    for (size_t i = 0; i < groups.size(); ++i)
        if (groups[i].scored > 0) groups[i].rank = int64_t(i) + 1;
    return groups;
}

std::string results_table(const Plan& plan, const std::vector<Result>& results, const std::string& monitor) {
    Rows rows{{"rank"}};
    for (const Value& value : without_repeats(plan.points.front())) rows[0].push_back(value.key);
    for (const std::string& title :
         {"best " + monitor, std::string("epoch"), std::string("epochs"), std::string("time"), std::string("folder")})
        rows[0].push_back(title);
    for (const Group& group : ranked(plan, results, higher_is_better(monitor)))
        rows.push_back(group_row(group, plan, results));
    return in_columns(rows) + unfinished_lines(plan, results);
}

std::string results_csv(const Plan& plan, const std::vector<Result>& results, const std::string& monitor) {
    std::string text = "rank";
    for (const Value& value : plan.points.front()) text += "," + value.key;
    text += fmt::format(",state,best_{},best_epoch,epochs,seconds,mean,deviation,trainings,folder,failure\n", monitor);
    for (const Group& group : ranked(plan, results, higher_is_better(monitor)))
        for (const size_t i : group.members) {
            const Result& r = results[i];
            text += group.rank > 0 ? fmt::format("{}", group.rank) : "";
            for (const Value& value : plan.points[i]) text += "," + csv_field(value.text);
            text += fmt::format(",{},{},{},{},{:.2f},{},{},{},{},{}\n", word_of(r), csv_number(r.score),
                                r.best_epoch > 0 ? fmt::format("{}", r.best_epoch) : "", r.epochs, r.seconds,
                                csv_number(group.mean), csv_number(group.spread), group.scored,
                                csv_field(name_of(plan.points[i])), csv_field(r.failure));
        }
    return text;
}

}  // namespace atrous::sweep
