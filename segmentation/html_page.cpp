#include "segmentation/html_page.h"

#include "segmentation/report/run_record.h"

namespace atrous {

static constexpr std::string_view beginning_of_page = "<!DOCTYPE html>\n<html lang=\"en\" data-page=\"atrous ";

bool is_own_page(std::string_view beginning) { return beginning.starts_with(beginning_of_page); }

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

static void write_head(const HtmlPage& page, const WriteText& write) {
    write(beginning_of_page);
    write(page.kind);
    write(
        "\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; img-src data:\">\n"
        "<link rel=\"icon\" href=\"data:,\">\n");
    write("<title>" + html_text(page.title) + "</title>\n<style>\n");
    write(page.style);
    write("</style>\n</head>\n");
}

void write_html(const HtmlPage& page, const WriteText& write) {
    write_head(page, write);
    write(
        "<body>\n<noscript>This page is drawn with JavaScript.</noscript>\n"
        "<main></main>\n<script type=\"application/json\" id=\"");
    write(page.data_id);
    write("\">");
    report::write_json(page.data, [&](const std::string& piece) { write(script_text(piece)); });
    write("</script>\n<script>\n");
    write(page.program);
    write("</script>\n</body>\n</html>\n");
}

}  // namespace atrous
