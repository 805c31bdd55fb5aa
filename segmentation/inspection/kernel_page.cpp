#include "segmentation/inspection/kernel_page.h"

#include "base/durable_file.h"
#include "segmentation/html_page.h"

// The files of the page, behind those that the report's page brings; programs in the order in which they run.
#define FILE_OF_PAGE(name) ".incbin \"" ATROUS_KERNEL_PAGE_FOLDER "/" name "\"\n"
asm(".pushsection .rodata.atrous_kernel_page, \"a\", @progbits\n"
    ".globl atrous_kernel_css, atrous_kernel_js, atrous_kernel_end\n"
    ".hidden atrous_kernel_css, atrous_kernel_js, atrous_kernel_end\n"
    "atrous_kernel_css:\n"
    ".incbin \"" ATROUS_REPORT_PAGE_FOLDER "/style.css\"\n" FILE_OF_PAGE("kernel.css")
    "atrous_kernel_js:\n"
    ".incbin \"" ATROUS_REPORT_PAGE_FOLDER "/elements.js\"\n" FILE_OF_PAGE("trace.js") FILE_OF_PAGE("schedule.js") FILE_OF_PAGE("state.js")
    FILE_OF_PAGE("player.js") FILE_OF_PAGE("reach.js") FILE_OF_PAGE("tensors.js") FILE_OF_PAGE("threads.js")
    FILE_OF_PAGE("banks.js") FILE_OF_PAGE("fragments.js") FILE_OF_PAGE("waits.js") FILE_OF_PAGE("sources.js")
    FILE_OF_PAGE("counters.js") FILE_OF_PAGE("kernel.js")
    "atrous_kernel_end:\n"
    ".popsection\n");
extern "C" [[gnu::visibility("hidden")]] const char atrous_kernel_css[], atrous_kernel_js[], atrous_kernel_end[];

namespace atrous::inspection {

void write_kernel_page(const std::string& path, const std::string& title, const nlohmann::ordered_json& trace) {
    const HtmlPage page{"kernel",
                        title,
                        {atrous_kernel_css, size_t(atrous_kernel_js - atrous_kernel_css)},
                        {atrous_kernel_js, size_t(atrous_kernel_end - atrous_kernel_js)},
                        "kernel",
                        trace};
    const auto fill = [&](io::FileSink& sink) { write_html(page, [&](std::string_view text) { sink.write(text); }); };
    io::write_durably(path, fill, {.keep_previous = false});
}

}  // namespace atrous::inspection
