// Lists as other programs and other machines write them, runs, and what the values of masks can look like.
#include "layout_rows.h"

namespace atrous::data::test {

namespace {

SetRow list_row(const char* name, const std::string& file, const std::string& text,
                std::function<void(const Read&)> accepted, Names refusal = {}, const std::string& order = "auto") {
    return {name,
            [=](TempDir& d) {
                flat(d, 3);
                write_file(d / file, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
            },
            std::move(accepted), std::move(refusal),
            [=](DatasetOptions& o) {
                o.train_list = o.root + "/" + file;
                o.val_fraction = 0;
                o.rle_order = order;
            }};
}

auto both(const std::string& note = "") {
    return [=](const Read& r) {
        EXPECT_EQ(names(r.dataset.train), (Names{"images/a0", "images/b1"}));
        if (note.empty())
            EXPECT_TRUE(r.dataset.notes.empty()) << r.dataset.notes[0];
        else
            EXPECT_TRUE(r.notes(note));
        EXPECT_LE(r.dataset.notes.size(), 1u) << "once, not for every line";
    };
}

// Both lines with what stands between the names, before them and after them.
std::string lines(const std::string& between, const std::string& before = "", const std::string& end = "\n") {
    return before + "images/a0.jpg" + between + before + "masks/a0.png" + end + before + "images/b1.jpg" + between +
           before + "masks/b1.png" + end;
}

std::string utf16(const std::string& text, bool little) {
    std::string out = little ? "\xff\xfe" : "\xfe\xff";
    for (const char c : text) out += little ? std::string{c, '\0'} : std::string{'\0', c};
    return out;
}

std::vector<SetRow> lists() {
    return {
        list_row("commas", "l.txt", lines(","), both()),
        list_row("commas and spaces", "l.txt", lines(", "), both()),
        list_row("bars", "l.txt", lines("|"), both()),
        list_row("semicolons", "l.txt", lines(";"), both()),
        list_row("semicolons of German CSV", "l.csv", "image;mask\n" + lines(";"), both()),
        list_row("tabs", "l.tsv", "image\tmask\n" + lines("\t"), both()),
        list_row("other names of columns", "l.csv", "img_path,mask_path\n" + lines(","), both()),
        list_row("UTF-16 of PowerShell", "l.csv", utf16("image,mask\r\n" + lines(",", "", "\r\n"), true), both()),
        list_row("UTF-16, the other way", "l.txt", utf16(lines(" "), false), both()),
        list_row("UTF-16 without its mark", "l.txt", utf16(lines(" "), true).substr(2), {},
                 {"l.txt:1", "zero byte", "UTF-8"}),
        list_row("backslashes", "l.txt", "images\\a0.jpg masks\\a0.png\r\nimages\\b1.jpg masks\\b1.png\r\n",
                 both("backslashes")),
        list_row("a leading slash", "l.txt", lines(" ", "/"), both("begin with / ")),
        list_row("another root", "l.txt", lines(" ", "/home/me/set/"), both("begin with /home/me/set ")),
        list_row("another drive", "l.txt", lines(" ", "C:\\set\\"), both("begin with /set ")),
        list_row("a folder too many", "l.txt", lines(" ", "set/"), both("begin with set ")),
        list_row("relative to the list", "images/l.txt", "a0.jpg ../masks/a0.png\n", {}, {"l.txt:1", "without '..'"}),
        list_row("an absolute path of nothing here", "l.txt", "/etc/passwd masks/a0.png\n", {},
                 {"l.txt:1", "/etc/passwd", "below"}),
        list_row("one file for both", "l.txt", "images/a0.jpg /x/images/a0.jpg\n", {}, {"l.txt:1", "the same file"}),
        {"absolute paths below the root",
         [](TempDir& d) {
             flat(d, 3);
             write_text(d / "train.txt", lines(" ", d.path().string() + "/"));
         },
         both(),
         {},
         [](DatasetOptions& o) { o.val_fraction = 0; }},
    };
}

const char* const heading = "ImageId,EncodedPixels\n";

std::vector<SetRow> runs() {
    const auto down = [](const Read& r) {  // columns of 6 pixels
        EXPECT_EQ(r.mask().image.u8, drawn({"11......", "1.......", "1.......", "1.......", "1.......", "1......."}));
        EXPECT_TRUE(r.notes("down the columns"));
    };
    return {
        list_row("columns by the heading", "l.csv", std::string(heading) + "a0.jpg,1 7\n", down),
        list_row("several rows of an image", "l.csv", std::string(heading) + "a0.jpg,1 3\na0.jpg,4 4\n", down),
        list_row("names without extension", "l.csv", "id,rle_mask\na0,1 7\n", down),
        list_row(
            "rows where that is said", "l.csv", std::string(heading) + "a0.jpg,1 7\n",
            [](const Read& r) {
                EXPECT_EQ(r.mask().image.u8[6], 1);
                EXPECT_TRUE(r.dataset.notes.empty());
            },
            {}, "rows"),
        list_row("rows by Carvana's heading", "l.csv", "img,rle_mask\na0.jpg,1 7\n",
                 [](const Read& r) { EXPECT_TRUE(r.notes("along the rows")); }),
        list_row("nothing says how", "l.csv", "image,rle\na0.jpg,1 7\n", {},
                 {"l.csv", "`rle-order` rows", "`rle-order` columns"}),
        list_row("no heading", "l.csv", "a0.jpg,1 7\n", {}, {"`rle-order` rows", "`rle-order` columns"}),
        list_row("-1 and nothing are empty", "l.csv", std::string(heading) + "a0.jpg,1 7\nb1.jpg,-1\nc2.jpg,\n",
                 [](const Read& r) {
                     EXPECT_EQ(r.report.samples_with, (std::vector<int64_t>{3, 1}));
                 }),
        list_row("a column of classes", "l.csv", "ImageId,ClassId,EncodedPixels\na0.jpg,1,1 2\na0.jpg,3,7 2\n",
                 [](const Read& r) {
                     EXPECT_EQ(r.report.pixels, (std::vector<int64_t>{44, 2, 0, 2}));
                 }),
        list_row("names of classes", "l.csv",
                 "Image_Label,EncodedPixels\na0.jpg_Sugar,1 2\na0.jpg_Fish,7 2\na0.jpg_Gravel,\n",
                 [](const Read& r) {
                     EXPECT_EQ(r.dataset.class_names, (Names{"background", "Fish", "Gravel", "Sugar"}));
                     EXPECT_EQ(r.report.rule.class_count, 4);
                     EXPECT_EQ(r.mask().image.u8[0], 3);
                 }),
        list_row("runs past the end", "l.csv", std::string(heading) + "a0.jpg,48 2\n", {},
                 {"l.csv:2", "48 2", "down the columns"}),
    };
}

// Runs of "i0" beside files of that stem in these places.
SetRow place_row(const char* name, const Names& files, const std::string& taken, Names refusal = {}) {
    std::function<void(const Read&)> accepted;
    if (!taken.empty()) accepted = [=](const Read& r) { EXPECT_EQ(names(r.dataset.train), Names{taken}); };
    return {name,
            [=](TempDir& d) {
                for (const std::string& file : files) add_image(d / file);
                write_text(d / "l.csv", "id,rle_mask\ni0,1 7\n");
            },
            std::move(accepted), std::move(refusal),
            [](DatasetOptions& o) { o.train_list = o.root + "/l.csv", o.val_fraction = 0; }};
}

std::vector<SetRow> places_of_runs() {
    return {
        place_row("masks come first in the alphabet", {"gt/i0.png", "images/i0.png"}, "images/i0"),
        place_row("masks within train", {"train/annotations/i0.png", "train/rgb/i0.png"}, "train/rgb/i0"),
        place_row("masks of a part", {"part_masks/i0.png", "photos/i0.png"}, "photos/i0"),
        place_row("images and what is unknown", {"depth/i0.png", "images/i0.png"}, "images/i0"),
        place_row("two folders of which nothing is known", {"left/i0.png", "right/i0.png"}, "",
                  {"l.csv:2", "'i0'", "left/i0.png", "right/i0.png", "relative to"}),
        place_row("two files of one folder", {"images/i0.jpg", "images/i0.png"}, "",
                  {"images/i0.jpg", "images/i0.png"}),
        place_row("a mask alone", {"gt/i0.png", "images/i1.png"}, "", {"l.csv:2", "folder of masks", "gt/i0.png"}),
    };
}

// A list trains, another validates; both have a column of classes.
SetRow two_lists(const char* name, const std::string& train, const std::string& val,
                 std::function<void(const Read&)> accepted, Names refusal = {}) {
    return {name,
            [=](TempDir& d) {
                flat(d, 3);
                write_text(d / "train.csv", "ImageId,ClassId,EncodedPixels\n" + train);
                write_text(d / "val.csv", "ImageId,ClassId,EncodedPixels\n" + val);
            },
            std::move(accepted), std::move(refusal),
            [](DatasetOptions& o) { o.train_list = o.root + "/train.csv", o.val_list = o.root + "/val.csv"; }};
}

std::vector<SetRow> classes_of_lists() {
    const auto val_is = [](uint8_t id, const Names& names) {
        return [=](const Read& r) {
            EXPECT_EQ(load_mask(r.dataset.val.at(0), 6, 8).image.u8[0], id);
            EXPECT_EQ(r.dataset.class_names, names);
        };
    };
    const std::string train = "a0.jpg,car,1 2\nb1.jpg,person,1 2\n", numbers = "a0.jpg,1,1 2\nb1.jpg,2,1 2\n";
    return {
        two_lists("one name of two", train, "c2.jpg,person,1 2\n", val_is(2, {"background", "car", "person"})),
        two_lists("a name that does not train", train, "c2.jpg,car,1 2\nc2.jpg,dog,9 2\n", {},
                  {"val.csv:3", "class 'dog'", "car, person"}),
        two_lists("no class", train, "c2.jpg,,1 2\n", {}, {"val.csv:2", "no class", "car, person"}),
        two_lists("no class and no pixel", train, "c2.jpg,,-1\n", val_is(0, {"background", "car", "person"})),
        two_lists("numbers", numbers, "c2.jpg,2,1 2\n", val_is(2, {})),
        two_lists("a number that does not train", numbers, "c2.jpg,3,1 2\n", {}, {"val.csv:2", "class '3'", "1, 2"}),
        two_lists("names after numbers", numbers, "c2.jpg,car,1 2\n", {}, {"val.csv:2", "class 'car'", "1, 2"}),
    };
}

SetRow mask_row(const char* name, std::vector<std::vector<uint8_t>> masks, std::function<void(const Read&)> accepted,
                Names refusal = {}, const std::string& rule = "auto") {
    return {name,
            [=](TempDir& d) {
                for (size_t i = 0; i < masks.size(); ++i) {
                    add_image(d / fmt::format("images/{}.png", i));
                    add_values(d / fmt::format("masks/{}.png", i), masks[i]);
                }
            },
            std::move(accepted),
            std::move(refusal),
            [](DatasetOptions& o) { o.val_fraction = 0; },
            rule};
}

// `count` objects of two pixels each, beside each other.
std::vector<uint8_t> objects(int count) {
    std::vector<uint8_t> values(48, 0);
    for (int i = 0; i < count; ++i) values[size_t(2 * i)] = values[size_t(2 * i + 1)] = uint8_t(i + 1);
    return values;
}

// 20 x 20 pixels: 200 of one value, 150 of another, 50 all different between them.
SetRow soft_row(const char* name, bool colour, const std::string& rule, std::function<void(const Read&)> accepted,
                Names refusal = {}) {
    return {name,
            [=](TempDir& d) {
                add_image(d / "images/a.png", 20, 20);
                Image mask = make_image<uint8_t>(20, 20, colour ? 3 : 1);
                for (size_t i = 0; i < 400; ++i) {
                    const auto level = uint8_t(i < 200 ? 0 : i < 350 ? 255 : 5 * (i - 349));
                    if (!colour) mask.u8[i] = level;
                    if (colour) mask.u8[3 * i] = uint8_t(255 - level), mask.u8[3 * i + 2] = level;
                }
                save_png(d / "masks/a.png", mask);
            },
            std::move(accepted),
            std::move(refusal),
            {},
            rule};
}

std::vector<SetRow> masks() {
    return {
        mask_row("ids of objects", {objects(5), objects(9), objects(3)}, {},
                 {"masks/0.png", "up to 9", "`mask-values` binary"}),
        mask_row("ids of objects, as the message says", {objects(5), objects(9)}, counts(2, 0, 0, 2), {}, "binary"),
        mask_row("few objects", {objects(2), objects(3), objects(2)},
                 [](const Read& r) { EXPECT_TRUE(r.notes("`mask-values` binary")); }),
        mask_row("classes of several pieces", {{0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4}}, counts(2, 0, 0, 6)),
        mask_row("ids from 1", {{1, 2, 3}},
                 [](const Read& r) {
                     counts(1, 0, 0, 4)(r);
                     EXPECT_TRUE(r.notes("`mask-values` ids-from-1"));
                 }),
        mask_row(
            "ids from 1, as the message says", {{1, 2, 3, 0}},
            [](const Read& r) {
                counts(1, 0, 0, 3)(r);
                EXPECT_EQ(r.report.pixels, (std::vector<int64_t>{12, 12, 12}));
                EXPECT_EQ(r.report.ignored_pixels, 12);
                EXPECT_EQ(text_of(r.report.rule), "ids-from-1");
            },
            {}, "ids-from-1"),
        mask_row("three levels of gray", {{0, 127, 255}}, {}, {"`mask-values` 0=0,127=1,255=2", "binary:128"}),
        mask_row("three levels, as the message says", {{0, 127, 255}}, counts(1, 0, 0, 3), {}, "0=0,127=1,255=2"),
        soft_row("soft edges in gray", false, "auto", {}, {"0 50.0 %, 255 37.5 %", "`mask-values` binary:128"}),
        soft_row("soft edges in colour", true, "auto", {},
                 {"#ff0000 50.0 %, #0000ff 37.5 %", "`mask-values` '#ff0000,#0000ff,within=125'"}),
        soft_row("soft edges in colour, as the message says", true, "#ff0000,#0000ff,within=125",
                 [](const Read& r) {
                     EXPECT_EQ(r.report.pixels, (std::vector<int64_t>{225, 175}));
                 }),
        soft_row("the nearest colour, not too far", true, "#ff0000,#0000ff,within=20", {}, {"(14, 17)", "#e60019"}),
    };
}

}  // namespace

TEST(ListForms, OfPaths) { run_rows(lists()); }
TEST(ListForms, OfRuns) { run_rows(runs()); }
TEST(ListForms, ImagesOfRuns) { run_rows(places_of_runs()); }
TEST(ListForms, ClassesOfTwoLists) { run_rows(classes_of_lists()); }
TEST(MaskForms, OfValues) { run_rows(masks()); }

TEST(ListForms, RelativeToTheList) {
    TempDir dir;
    flat(dir, 2, "set/images/", "set/masks/");
    write_text(dir / "set/l.txt", "images/a0.jpg masks/a0.png\n");
    const Dataset dataset = find(dir, [&](auto& o) { o.train_list = dir / "set/l.txt", o.val_fraction = 0; });
    EXPECT_EQ(names(dataset.train), (Names{"set/images/a0"}));
    ASSERT_EQ(dataset.notes.size(), 1u);
    EXPECT_NE(dataset.notes[0].find("relative to the list's folder"), std::string::npos);
}

TEST(MaskForms, RulesOfNearestColoursComeBack) {
    const MaskRule rule = parse_mask_rule("#000000,#ff0000,within=48");
    EXPECT_EQ(text_of(rule), "#000000=0,#ff0000=1,within=48");
    EXPECT_EQ(text_of(parse_mask_rule(text_of(rule))), text_of(rule));
    EXPECT_EQ(rule.class_of(colour_flag | 0xf01030), 1);
    EXPECT_EQ(rule.class_of(colour_flag | 0xf01031), -1);
    expect_error<UsageError>([] { parse_mask_rule("1,2,within=3"); }, {"within goes with colours"});
    expect_error<UsageError>([] { parse_mask_rule("#000000,within=300"); }, {"'300'"});
}

}  // namespace atrous::data::test
