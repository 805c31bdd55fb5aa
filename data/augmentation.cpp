#include <fmt/core.h>

#include "base/error.h"
#include "data/loader.h"

namespace atrous::data {

void describe(Settings& s, Augmentation& a) {
    s.bind("hflip", a.hflip, "probability of a horizontal flip").min(0).max(1);
    s.bind("vflip", a.vflip, "probability of a vertical flip").min(0).max(1);
    s.bind("rotate", a.rotate_degrees, "largest angle of a random rotation").min(0).max(180).unit("degrees");
    s.bind("brightness", a.brightness, "largest relative change of brightness").min(0).max(1);
    s.bind("contrast", a.contrast, "largest relative change of contrast").min(0).max(1);
    s.bind("scale", a.scale, "smallest and largest factor of a random resize of the training pictures");
    s.bind("turn", a.turn, "random quarter turns and transpositions");
}

void check(const Augmentation& a) {
    const auto& s = a.scale;
    if (s.size() == 2 && s[0] > 0 && s[0] <= s[1] && s[1] <= 16) return;
    std::string given;
    for (const double factor : s) given += fmt::format(" {}", factor);
    throw UsageError("`scale`" + given + ": expected the smallest and the largest factor, above 0 and up to 16");
}

}  // namespace atrous::data
