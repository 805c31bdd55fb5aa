#include "segmentation/settings_markdown.h"

namespace atrous {

static const char* text_of(Resume rule) {
    switch (rule) {
        case Resume::said:
            return "said";
        case Resume::free:
            return "free";
        case Resume::within_epoch:
            return "between epochs";
        case Resume::fixed:
            return "fixed";
    }
    return "?";
}

// A | would end the cell.
static std::string cell(std::string text) {
    for (size_t at = 0; (at = text.find('|', at)) != text.npos; at += 2) text.insert(at, "\\");
    return text;
}

std::string as_markdown(const Settings& settings) {
    std::string text, group;
    for (const auto& s : settings.all()) {
        if (s->group != group) {
            group = s->group;
            text +=
                "\n## " + group + "\n\n| setting | value | default | on resuming | meaning |\n|---|---|---|---|---|\n";
        }
        const std::string value = s->shown_default();
        const std::string by_default = value == "\"\"" || value.empty() ? "" : value;
        text += "| `" + s->key + "` | " + cell(s->rule()) + " | " + cell(by_default) +
                (by_default.empty() || s->unit_name.empty() ? "" : " " + s->unit_name) + " | " +
                (s->is_required ? "required" : text_of(s->resume)) + " | " + cell(s->help) + " |\n";
    }
    return text;
}

}  // namespace atrous
