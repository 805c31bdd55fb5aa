// The report as one HTML file that asks for nothing else: data, style, program and pictures are in it.
#pragma once

#include <string>
#include <string_view>

#include "segmentation/report/run_record.h"

namespace atrous::report {

inline constexpr const char* page_name = "report.html";

// Writes the page of these runs (run_data.h), a list: of one run by itself, of several beside each other. Replaces the
// file; `quick` as in base/durable_file.h. IoError.
void write_page(const std::string& path, const Json& runs, bool quick = false);
std::string page_of(const Json& runs);  // the same as text
// The files of the folder page, as they are.
std::string_view page_style();
std::string_view page_program();

}  // namespace atrous::report
