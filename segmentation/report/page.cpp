#include "segmentation/report/page.h"

#include <fmt/core.h>

// The files of the folder page, as they are; those of the program in the order in which they run.
asm(".pushsection .rodata.atrous_page, \"a\", @progbits\n"
    ".globl atrous_page_css, atrous_page_js, atrous_page_end\n"
    ".hidden atrous_page_css, atrous_page_js, atrous_page_end\n"
    "atrous_page_css:\n"
    ".incbin \"" ATROUS_PAGE_FOLDER
    "/style.css\"\n"
    "atrous_page_js:\n"
    ".incbin \"" ATROUS_PAGE_FOLDER
    "/elements.js\"\n"
    ".incbin \"" ATROUS_PAGE_FOLDER
    "/run.js\"\n"
    ".incbin \"" ATROUS_PAGE_FOLDER
    "/chart.js\"\n"
    ".incbin \"" ATROUS_PAGE_FOLDER
    "/table.js\"\n"
    ".incbin \"" ATROUS_PAGE_FOLDER
    "/run_page.js\"\n"
    ".incbin \"" ATROUS_PAGE_FOLDER
    "/comparison.js\"\n"
    "atrous_page_end:\n"
    ".popsection\n");
extern "C" [[gnu::visibility("hidden")]] const char atrous_page_css[], atrous_page_js[], atrous_page_end[];

namespace atrous::report {

static constexpr std::string_view beginning_of_page = "<!DOCTYPE html>\n<html lang=\"en\" data-page=\"atrous report\">";

std::string_view page_style() { return {atrous_page_css, size_t(atrous_page_js - atrous_page_css)}; }
std::string_view page_program() { return {atrous_page_js, size_t(atrous_page_end - atrous_page_js)}; }

bool is_page(std::string_view beginning) { return beginning.starts_with(beginning_of_page); }

std::string html_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '"')
            out += "&quot;";
        else if (c == '\'')
            out += "&#39;";
        else
            out += c;
    }
    return out;
}

// In JSON a < stands in texts alone, where it may be written by its number.
std::string script_json(const Json& value) {
    std::string out;
    for (const char c : value.dump(-1, ' ', false, Json::error_handler_t::replace)) {
        if (c == '<')
            out += "\\u003c";
        else
            out += c;
    }
    return out;
}

std::string page_of(const std::vector<Json>& runs) {
    const std::string title =
        runs.size() == 1 ? runs[0].value("name", "") + " – report" : fmt::format("{} runs compared", runs.size());
    std::string page(beginning_of_page);
    page +=
        "\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; img-src data:\">\n"
        "<link rel=\"icon\" href=\"data:,\">\n";
    page += "<title>" + html_text(title) + "</title>\n<style>\n";
    page += page_style();
    page +=
        "</style>\n</head>\n<body>\n<noscript>This page draws its curves and tables with JavaScript.</noscript>\n"
        "<main></main>\n<script type=\"application/json\" id=\"runs\">";
    page += script_json(Json(runs));
    page += "</script>\n<script>\n";
    page += page_program();
    page += "</script>\n</body>\n</html>\n";
    return page;
}

}  // namespace atrous::report
