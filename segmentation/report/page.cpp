#include "segmentation/report/page.h"

#include <fmt/core.h>

#include "base/durable_file.h"
#include "segmentation/html_page.h"

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

std::string_view page_style() { return {atrous_page_css, size_t(atrous_page_js - atrous_page_css)}; }
std::string_view page_program() { return {atrous_page_js, size_t(atrous_page_end - atrous_page_js)}; }

static void write_parts(const Json& runs, const WriteText& write) {
    const std::string title =
        runs.size() == 1 ? runs[0].value("name", "") + " – report" : fmt::format("{} runs compared", runs.size());
    write_html({"report", title, page_style(), page_program(), "runs", runs}, write);
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
