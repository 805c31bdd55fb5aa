#include "base/suggest.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace atrous {

int edit_distance(std::string_view a, std::string_view b) {
    std::vector<int> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) last[j] = int(j);
    for (size_t i = 1; i <= a.size(); ++i) {
        row[0] = int(i);
        for (size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before.swap(last);
        last.swap(row);
    }
    return last[b.size()];
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
    if (word.size() > 100) return "";
    std::string best;
    int best_distance = std::max(1, int(word.size()) / 3) + 1;
    for (const std::string& candidate : candidates) {
        const int distance = edit_distance(word, candidate);
        if (distance < best_distance) best = candidate, best_distance = distance;
    }
    if (best.empty() && word.size() >= 3)  // a beginning: --batch for --batch-size
        for (const std::string& candidate : candidates)
            if (std::string_view(candidate).starts_with(word)) return candidate;
    return best;
}

// Of PyTorch's and torchvision's scripts, Ultralytics, MMSegmentation, segmentation_models and Keras.
static constexpr std::pair<const char*, const char*> other_words[] = {
    {"batch", "batch-size"},
    {"bs", "batch-size"},
    {"train-batch-size", "batch-size"},
    {"learning-rate", "lr"},
    {"lr0", "lr"},
    {"img-size", "size"},
    {"imgsz", "size"},
    {"image-size", "size"},
    {"input-size", "size"},
    {"crop-size", "crop"},
    {"amp", "precision"},
    {"fp16", "precision"},
    {"half", "precision"},
    {"gpu", "device"},
    {"gpus", "device"},
    {"cuda", "device"},
    {"num-workers", "workers"},
    {"num-classes", "classes"},
    {"n-classes", "classes"},
    {"nc", "classes"},
    {"arch", "model"},
    {"architecture", "model"},
    {"from-model", "model"},
    {"dtype", "precision"},
    {"network", "model"},
    {"backbone", "encoder"},
    {"wd", "weight-decay"},
    {"opt", "optimizer"},
    {"optim", "optimizer"},
    {"scheduler", "schedule"},
    {"lr-scheduler", "schedule"},
    {"early-stopping", "patience-stop"},
    {"weights", "checkpoint"},
    {"ckpt", "checkpoint"},
    {"load", "resume"},
    {"data-path", "data"},
    {"data-dir", "data"},
    {"dataset", "data"},
    {"out", "output"},
    {"out-dir", "output-dir"},
    {"save-dir", "output-dir"},
    {"work-dir", "output-dir"},
    {"grad-accum", "accumulate"},
    {"accumulation-steps", "accumulate"},
    {"max-norm", "clip-norm"},
    {"grad-clip", "clip-norm"},
    {"conf", "threshold"},
    {"mask-threshold", "threshold"},
    {"val-split", "val-fraction"},
    {"validation", "val-fraction"},
    {"force", "overwrite"},
    {"exist-ok", "overwrite"},
    {"fit", "train"},
    {"test", "eval"},
    {"val", "eval"},
    {"validate", "eval"},
    {"evaluate", "eval"},
    {"infer", "predict"},
    {"inference", "predict"},
    {"segment", "predict"},
    {"info", "summary"},
    {"onnx", "export"},
    {"benchmark", "bench"},
    {"miou", "iou"},
    {"jaccard", "iou"},
    {"dsc", "dice"},
    {"f1", "dice"},
    {"crossentropy", "ce"},
    {"cross-entropy", "ce"},
    {"float32", "fp32"},
    {"float16", "fp16"},
    {"half", "fp16"},
    {"bfloat16", "bf16"},
    {"u-net", "unet"},
    {"deeplabv3+", "deeplabv3plus"},
    {"deeplab", "deeplabv3"},
    {"step-lr", "step"},
    {"steplr", "step"},
    {"cosineannealinglr", "cosine"},
    {"reducelronplateau", "plateau"},
    {"polynomial", "poly"},
};

static std::string lower(std::string_view text) {
    std::string low = io::lower_case(text);
    std::replace(low.begin(), low.end(), '_', '-');
    return low;
}

static std::string without_dashes(std::string_view word) {
    return std::string(word.substr(std::min<size_t>(word.find_first_not_of('-'), word.size())));
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
    const auto candidate = [&](const std::string& bare) -> std::string {
        for (const std::string& c : candidates)
            if (without_dashes(c) == bare) return c;
        return "";
    };
    const std::string bare = lower(without_dashes(word));
    std::string guess = candidate(bare);
    for (const auto& [other, ours] : other_words)
        if (guess.empty() && bare == other) guess = candidate(ours);
    if (guess.empty()) guess = closest(word, candidates);
    return guess.empty() ? "" : "; did you mean " + guess + "?";
}

}  // namespace atrous
