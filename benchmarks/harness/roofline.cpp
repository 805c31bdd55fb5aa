#include "benchmarks/harness/roofline.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace atrous::bench {
namespace {

constexpr double width = 960, height = 600, left = 80, right = 200, top = 50, bottom = 60;
const char* const colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e",
                               "#17becf", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22"};

std::string escaped(const std::string& text) {
    std::string out;
    for (const char ch : text)
        out += ch == '&' ? "&amp;" : ch == '<' ? "&lt;" : ch == '>' ? "&gt;" : std::string(1, ch);
    return out;
}

// A logarithmic axis over whole decades.
struct Axis {
    double low, high, begin, end;  // powers of ten; pixels
    Axis(double least, double most, double begin, double end)
        : low(std::floor(std::log10(least))), high(std::ceil(std::log10(most))), begin(begin), end(end) {
        if (high <= low) high = low + 1;
    }
    double at(double value) const { return begin + (std::log10(value) - low) / (high - low) * (end - begin); }
};

class Drawing {
 public:
    Drawing(const Ceilings& c, const std::vector<RooflinePoint>& points)
        : ceilings_(c), points_(points), x_(make_x()), y_(make_y()) {}

    std::string svg(const std::string& title) {
        out_ = fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n<desc>atrous</desc>\n<rect width=\"{0}\" height=\"{1}\" "
            "fill=\"white\"/>\n",
            width, height);
        text(left, 28, title, "start", 15);
        grid();
        roof();
        for (const RooflinePoint& p : points_) mark(p);
        legend();
        return out_ + "</svg>\n";
    }

 private:
    double ridge() const { return ceilings_.flops_per_s / ceilings_.bytes_per_s; }
    Axis make_x() const {
        double least = ridge() / 10, most = ridge() * 10;
        for (const auto& p : points_)
            least = std::min(least, p.flops_per_byte), most = std::max(most, p.flops_per_byte);
        return {least, most, left, width - right};
    }
    Axis make_y() const {
        double least = ceilings_.flops_per_s / 100;
        for (const auto& p : points_) least = std::min(least, p.flops_per_s);
        return {least * 1e-12, ceilings_.flops_per_s * 1.5e-12, height - bottom, top};
    }

    void text(double x, double y, const std::string& words, const char* anchor, int size = 12, double turn = 0) {
        out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{}\"{}>{}</text>\n", x, y,
                            anchor, size, turn != 0 ? fmt::format(" transform=\"rotate({} {} {})\"", turn, x, y) : "",
                            escaped(words));
    }
    void line(double x1, double y1, double x2, double y2, const char* style) {
        out_ +=
            fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1, x2, y2, style);
    }
    void grid() {
        const char* thin = "stroke=\"#dddddd\"";
        for (double e = x_.low; e <= x_.high; ++e) {
            const double x = x_.at(std::pow(10, e));
            line(x, y_.begin, x, y_.end, thin);
            text(x, y_.begin + 18, fmt::format("{:g}", std::pow(10, e)), "middle");
        }
        for (double e = y_.low; e <= y_.high; ++e) {
            const double y = y_.at(std::pow(10, e));
            line(x_.begin, y, x_.end, y, thin);
            text(x_.begin - 8, y + 4, fmt::format("{:g}", std::pow(10, e)), "end");
        }
        text((x_.begin + x_.end) / 2, height - 18, "arithmetic intensity, FLOP / byte", "middle");
        text(22, (y_.begin + y_.end) / 2, "TFLOP/s", "middle", 12, -90);
    }
    void roof() {
        const char* thick = "stroke=\"black\" stroke-width=\"2\"";
        const double product = ceilings_.flops_per_s * 1e-12, memory = ceilings_.bytes_per_s * 1e-12,
                     lowest = std::pow(10, y_.low), begin = std::max(std::pow(10, x_.low), lowest / memory);
        line(x_.at(begin), y_.at(begin * memory), x_.at(ridge()), y_.at(product), thick);
        line(x_.at(ridge()), y_.at(product), x_.end, y_.at(product), thick);
        text(x_.end, y_.at(product) - 8, fmt::format("{:.3g} TFLOP/s", product), "end");
        text((x_.at(begin) + x_.at(ridge())) / 2 - 10, (y_.at(begin * memory) + y_.at(product)) / 2 - 8,
             fmt::format("{:.0f} GB/s", memory * 1e3), "end");
    }
    const char* colour(const std::string& name) {
        const auto at = std::find(names_.begin(), names_.end(), name);
        const auto i = size_t(at - names_.begin());
        if (at == names_.end()) names_.push_back(name);
        return colours[i % std::size(colours)];
    }
    void mark(const RooflinePoint& p) {
        if (p.flops_per_byte <= 0 || p.flops_per_s <= 0) return;
        const double x = x_.at(p.flops_per_byte), y = y_.at(p.flops_per_s * 1e-12);
        const std::string style = fmt::format("fill=\"{}\" fill-opacity=\"0.75\" stroke=\"white\"", colour(p.name)),
                          hint = "<title>" + escaped(p.text) + "</title>";
        if (p.backward)
            out_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"9\" height=\"9\" {}>{}</rect>\n", x - 4.5,
                                y - 4.5, style, hint);
        else
            out_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" {}>{}</circle>\n", x, y, style, hint);
    }
    void legend() {
        double y = top + 10;
        const double x = width - right + 20;
        for (size_t i = 0; i < names_.size(); ++i, y += 20) {
            out_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{}\"/>\n", x, y - 10,
                                colours[i % std::size(colours)]);
            text(x + 18, y, names_[i], "start");
        }
        out_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"5\" fill=\"#555555\"/>\n", x + 6, y + 12);
        text(x + 18, y + 16, "forward", "start");
        out_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"9\" height=\"9\" fill=\"#555555\"/>\n", x + 1.5, y + 28);
        text(x + 18, y + 36, "backward", "start");
    }

    const Ceilings& ceilings_;
    const std::vector<RooflinePoint>& points_;
    Axis x_, y_;
    std::string out_;
    std::vector<std::string> names_;
};

}  // namespace

std::string roofline_svg(const std::string& title, const Ceilings& ceilings, const std::vector<RooflinePoint>& points) {
    std::vector<RooflinePoint> shown;
    std::copy_if(points.begin(), points.end(), std::back_inserter(shown),
                 [](const RooflinePoint& p) { return p.flops_per_byte > 0 && p.flops_per_s > 0; });
    return Drawing(ceilings, shown).svg(title);
}

}  // namespace atrous::bench
