#include "segmentation/inspection/page.h"

#include "base/durable_file.h"
#include "segmentation/html_page.h"

// The files of the page, behind those that the report's page brings; programs in the order in which they run.
asm(".pushsection .rodata.atrous_study_page, \"a\", @progbits\n"
    ".globl atrous_study_css, atrous_study_js, atrous_study_end\n"
    ".hidden atrous_study_css, atrous_study_js, atrous_study_end\n"
    "atrous_study_css:\n"
    ".incbin \"" ATROUS_REPORT_PAGE_FOLDER
    "/style.css\"\n"
    ".incbin \"" ATROUS_STUDY_PAGE_FOLDER
    "/study.css\"\n"
    "atrous_study_js:\n"
    ".incbin \"" ATROUS_REPORT_PAGE_FOLDER
    "/elements.js\"\n"
    ".incbin \"" ATROUS_STUDY_PAGE_FOLDER
    "/study.js\"\n"
    ".incbin \"" ATROUS_STUDY_PAGE_FOLDER
    "/graph.js\"\n"
    ".incbin \"" ATROUS_STUDY_PAGE_FOLDER
    "/studies.js\"\n"
    "atrous_study_end:\n"
    ".popsection\n");
extern "C" [[gnu::visibility("hidden")]] const char atrous_study_css[], atrous_study_js[], atrous_study_end[];

namespace atrous::inspection {

void write_page(const std::string& path, const std::string& title, const Json& studies) {
    const HtmlPage page{"study",
                        title,
                        {atrous_study_css, size_t(atrous_study_js - atrous_study_css)},
                        {atrous_study_js, size_t(atrous_study_end - atrous_study_js)},
                        "studies",
                        studies};
    const auto fill = [&](io::FileSink& sink) { write_html(page, [&](std::string_view text) { sink.write(text); }); };
    io::write_durably(path, fill, {.keep_previous = false});
}

}  // namespace atrous::inspection
