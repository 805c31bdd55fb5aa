// The report as one HTML file that asks for nothing else: data, style, program and pictures are in it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "segmentation/report/run_record.h"

namespace atrous::report {

inline constexpr const char* page_name = "report.html";

// The page of these runs (run_data.h): of one run by itself, of several beside each other.
std::string page_of(const std::vector<Json>& runs);
// Tells whether a file begins as a page of this program, so that replacing it loses nothing.
bool is_page(std::string_view beginning);

// Text within HTML: &, <, >, " and ' as entities.
std::string html_text(std::string_view text);
// JSON within a script element, which no text in it can end.
std::string script_json(const Json& value);

// The files of the folder page, as they are.
std::string_view page_style();
std::string_view page_program();

}  // namespace atrous::report
