#include <fmt/core.h>

#include <cstdio>
#include <filesystem>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/options.h"
#include "apps/verbs.h"
#include "base/error.h"
#include "base/paths.h"
#include "segmentation/outputs.h"
#include "segmentation/report/page.h"
#include "segmentation/report/run_data.h"
#include "segmentation/resumed_run.h"
#include "segmentation/run_folder.h"

namespace atrous::app {

static report::Json read_run(const std::string& path, Console& console) {
    const std::string folder = run_folder_of(path);
    if (!path_exists(path) || !RunFolder::is_one(folder))
        throw UsageError(path + ": is no run folder; expected one that a training wrote");
    report::Json run = report::run_data(folder);
    for (const auto& note : run["notes"]) console.warning(note.get<std::string>());
    return run;
}

static std::string page_in(const std::string& folder) { return std::filesystem::path(folder) / report::page_name; }

// A page may replace a page, but no other file of a run.
static void check_output(const std::string& output, const std::vector<std::string>& runs, bool overwrite) {
    Outputs outputs;
    outputs.writes("--output", output, FileKind::page);
    for (const std::string& run : runs)
        for (const std::string& file : RunFolder::files_of(run_folder_of(run)))
            if (!file.ends_with(report::page_name)) outputs.keeps("the run folder", file);
    outputs.check(overwrite);
}

int report(int argc, const char* const* argv) {
    std::vector<std::string> folders;
    std::string output;
    bool overwrite = false;
    Options o("report",
              "Writes the report of a training anew, or one page that sets several beside each other: settings that "
              "differ, curves, scores.");
    o.bind("runs", folders, "run folders, or files in them").positional().required();
    o.bind("output", output,
           "file to write (HTML); not given: report.html in the run folder, of several runs compare.html")
        .letter('o');
    describe_overwrite(o, overwrite);
    o.parse(argc, argv);
    Console console;
    report::Json runs = report::Json::array();
    for (const std::string& folder : folders) runs.push_back(read_run(folder, console));
    if (output.empty()) output = runs.size() > 1 ? "compare.html" : page_in(run_folder_of(folders[0]));
    check_output(output, folders, overwrite);
    report::write_page(output, runs);
    fmt::print("wrote {}\n", output);
    return exit_ok;
}

}  // namespace atrous::app
