// What a training notes for its report as it goes, kept in the run folder as report.json. Curves of scores and rates are
// in metrics.csv and settings in config.toml: here is what they do not have.
//
//   format      1
//   net, data   what was trained, and on what
//   classes     name and colour of each
//   sessions    when and where the training ran; one more each time it was resumed
//   terms       the names of the loss's parts
//   steps       of some steps each a row: the last step's number, its rate, the mean loss and the mean of each term
//   epochs      of each epoch: the terms' means (null where it was resumed within), IoU by class, seconds, memory
//   best        of the best epoch's validation: confusion matrix, intervals of the scores, images and pictures, hardest
//               regions, and of two classes the precision-recall curve, whose points are recall, precision and threshold
//   best_before the same of the best epoch before it, until another epoch is noted: a training that is killed before the
//               best epoch's checkpoint goes back to it
//
// Numbers that are not defined are null, infinite ones the texts "inf" and "-inf".
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace atrous::report {

using Json = nlohmann::ordered_json;

inline constexpr const char* record_name = "report.json";
inline constexpr int record_format = 1;

Json number(double value);

// The JSON's text, a piece at a time: of a long training it is not in memory as a whole. Bytes that are no UTF-8 become
// U+FFFD.
void write_json(const Json& value, const std::function<void(const std::string& piece)>& write);

// An empty record.
Json new_record();
// The record of a run folder, and in `note` what is wrong with it; an empty record where there is none that can be
// read. Of a folder without one `note` says so too.
Json read_record(const std::string& folder, std::string& note);
// Replaces the folder's record, durably: it cannot be made again. `keep_previous`: the one that was there becomes
// report.json.previous. IoError.
void write_record(const std::string& folder, const Json& record, bool keep_previous = false);

// Drops what is noted of epochs from `epochs` on, counted from 0, and of steps behind `step`: those come again. Of the
// best epochs that one stays whose number, counted from 0, is `best_epoch`.
void forget_after(Json& record, int64_t epochs, int64_t step, int64_t best_epoch);

}  // namespace atrous::report
