// An HTML file that asks for nothing else: data, style, program and pictures are in it, and it may not open a connection.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace atrous {

struct HtmlPage {
    std::string_view kind;  // "atrous report", by which the program knows its own pages
    std::string title;
    std::string_view style, program;
    std::string_view data_id;  // of the element that holds the data as JSON
    const nlohmann::ordered_json& data;
};

using WriteText = std::function<void(std::string_view)>;

// Writes the page a piece at a time. The program finds an empty <main>.
void write_html(const HtmlPage& page, const WriteText& write);
// Tells whether a file begins as a page of this program, so that replacing it loses nothing.
bool is_own_page(std::string_view beginning);

// Text within HTML: &, <, >, " and ' as entities.
std::string html_text(std::string_view text);

}  // namespace atrous
