#include "segmentation/report/page.h"

#include <fmt/core.h>

#include <functional>

#include "base/durable_file.h"

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

// In JSON a < stands in texts alone, where it may be written by its number: no text ends the script that it is in.
static std::string script_text(const std::string& json) {
    std::string out;
    for (const char c : json) {
        if (c == '<')
            out += "\\u003c";
        else
            out += c;
    }
    return out;
}

using Write = std::function<void(std::string_view)>;

static void write_head(const std::string& title, const Write& write) {
    write(beginning_of_page);
    write(
        "\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; img-src data:\">\n"
        "<link rel=\"icon\" href=\"data:,\">\n");
    write("<title>" + html_text(title) + "</title>\n<style>\n");
    write(page_style());
    write("</style>\n</head>\n");
}

static void write_parts(const Json& runs, const Write& write) {
    write_head(
        runs.size() == 1 ? runs[0].value("name", "") + " – report" : fmt::format("{} runs compared", runs.size()),
        write);
    write(
        "<body>\n<noscript>This page draws its curves and tables with JavaScript.</noscript>\n"
        "<main></main>\n<script type=\"application/json\" id=\"runs\">");
    write_json(runs, [&](const std::string& piece) { write(script_text(piece)); });
    write("</script>\n<script>\n");
    write(page_program());
    write("</script>\n</body>\n</html>\n");
}

std::string page_of(const Json& runs) {
    std::string page;
    write_parts(runs, [&](std::string_view text) { page += text; });
    return page;
}

void write_page(const std::string& path, const Json& runs, bool quick) {
    const auto fill = [&](io::FileSink& sink) { write_parts(runs, [&](std::string_view text) { sink.write(text); }); };
    io::write_durably(path, fill, {.keep_previous = false, .quick = quick});
}

}  // namespace atrous::report
