#include "segmentation/prediction.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <new>
#include <set>

#include "base/durable_file.h"
#include "base/paths.h"
#include "data/dataset.h"
#include "segmentation/outputs.h"
#include "segmentation/score_text.h"

namespace atrous {

namespace fs = std::filesystem;

Images find_inputs(const std::vector<std::string>& inputs, const std::string& output, bool recursive,
                   Messages& messages) {
    Images all;
    std::set<FileIdentity> seen;
    size_t results = 0;
    for (const std::string& input : inputs) {
        const data::ImageList list = data::find_images(input, recursive);
        all.skipped.insert(all.skipped.end(), list.skipped.begin(), list.skipped.end());
        for (const std::string& path : list.images) {
            const bool result =
                path != input && is_below(path, output) && (data::is_our_png(path) || data::is_our_tiff(path));
            results += result;
            const auto identity = identity_of(path);
            if (!result && (!identity || inputs.size() == 1 || seen.insert(*identity).second))
                all.taken.push_back({path, input});
        }
    }
    if (results) messages.text(fmt::format("passed over {} results of earlier predictions in {}\n", results, output));
    if (all.taken.empty() && all.skipped.empty())
        throw UsageError("`output` " + output +
                         ": all images in it are results of earlier predictions; name a folder of others to predict");
    return all;
}

// How long a file's name may be in a folder that may not exist yet.
static size_t longest_name(const std::string& folder) {
    const long here = ::pathconf(folder.c_str(), _PC_NAME_MAX);
    constexpr size_t temporary = sizeof ".." + 16 + sizeof ".tmp";  // what a file is called while it is written
    return size_t(here > 0 ? here : 255) - temporary;
}

std::vector<Job> jobs_of(Images& images, const Predictor& predictor, const std::vector<std::string>& read,
                         bool overwrite) {
    const std::vector<std::string> names = result_names(images.taken);
    const size_t longest = longest_name(predictor.output());
    std::set<FileIdentity> inputs;
    std::vector<std::string> all_read = read;
    for (const InputImage& image : images.taken) {
        all_read.push_back(image.path);
        all_read.insert(all_read.end(), image.bands.begin(), image.bands.end());
    }
    for (const std::string& path : all_read)
        if (const auto identity = identity_of(path)) inputs.insert(*identity);
    const FileKind kind = predictor.format() == "tiff" ? FileKind::tiff : FileKind::png;
    std::vector<Job> jobs;
    for (size_t i = 0; i < names.size(); ++i) {
        const Job job{images.taken[i].path, names[i], images.taken[i].bands};
        bool fits = true;
        for (const std::string& path : predictor.paths_of(job)) {
            fits = fits && fs::path(path).filename().string().size() <= longest;
            if (const auto there = identity_of(path); there && inputs.count(*there))
                throw UsageError(
                    fmt::format("`output` {}: {} would be replaced, which the prediction reads; "
                                "choose another folder",
                                predictor.output(), path));
            if (path_exists(path) && !is_file(path))
                throw UsageError(
                    fmt::format("`output` {}: {} is no regular file, where a result is to be; choose another "
                                "folder",
                                predictor.output(), path));
            if (!overwrite && !is_replaceable(path, kind))
                throw UsageError(
                    fmt::format("`output` {}: {} exists and is not one of this program's; choose another "
                                "folder, or replace it with `overwrite`",
                                predictor.output(), path));
        }
        if (fits)
            jobs.push_back(job);
        else
            images.skipped.push_back(job.image + ": its results' names would be too long for the file system");
    }
    return jobs;
}

// Names everything that was left out: DataError, or NumericError where the net failed.
static void report_failures(const std::vector<std::string>& skipped, const std::vector<std::string>& nonfinite,
                            size_t images) {
    refuse_nonfinite(nonfinite, int64_t(images));
    if (skipped.empty()) return;
    std::string text = images > 1 ? fmt::format("{} of {} images were skipped: ", skipped.size(), images) : "";
    for (size_t i = 0; i < std::min<size_t>(skipped.size(), 5); ++i) text += (i ? " | " : "") + skipped[i];
    throw DataError(skipped.size() > 5 ? text + " | and more, listed above" : text);
}

void predict_all(Predictor& predictor, const std::vector<Job>& jobs, std::vector<std::string> skipped,
                 Messages& messages) {
    const size_t images = jobs.size() + skipped.size();
    std::vector<std::string> nonfinite;
    std::set<fs::path> made;
    size_t done = 0;
    const auto skip = [&](const std::string& why) {
        messages.text(fmt::format("skipped: {}\n", why));
        skipped.push_back(why);
    };
    for (const std::string& why : skipped) messages.text(fmt::format("skipped: {}\n", why));
    for (const Job& job : jobs) {
        for (const std::string& path : predictor.paths_of(job)) {
            const fs::path folder = fs::path(path).parent_path();
            if (!made.insert(folder).second) continue;
            make_folders(folder.string());
            io::remove_stale_temporaries_in(folder.string());
        }
        try {
            messages.text(fmt::format("{}\n", predictor.predict(job)));
        } catch (const Stopped&) {
            messages.text(fmt::format("\nstopped after {} of {} images; their results are in {}\n", done, jobs.size(),
                                      predictor.output()));
            return;
        } catch (const DataError& e) {
            skip(e.what());
        } catch (const MemoryError& e) {
            skip(job.image + ": " + e.what());
        } catch (const std::bad_alloc&) {
            skip(job.image + ": does not fit into memory");
        } catch (const NumericError& e) {
            messages.text(fmt::format("not written: {}: {}\n", job.image, e.what()));
            nonfinite.push_back(job.image);
        }
        ++done;
    }
    messages.text(fmt::format("wrote {} images' results to {}\n", images - skipped.size() - nonfinite.size(),
                              predictor.output()));
    report_failures(skipped, nonfinite, images);
}

}  // namespace atrous
