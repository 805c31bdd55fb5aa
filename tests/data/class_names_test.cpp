// Names of classes as a user gives them: classes.toml, and the setting `class-names`.
#include "data/class_names.h"

#include <gtest/gtest.h>

#include "data/classes_toml.h"
#include "sets.h"

namespace atrous::data::test {

static std::string toml(const TempDir& dir, const std::string& text) {
    const std::string path = dir / "classes.toml";
    write_text(path, text);
    return path;
}

TEST(ClassesToml, GivesNamesColoursAndValues) {
    TempDir dir;
    const ClassNames found = read_classes_toml(toml(dir, R"(ignore = [255, 4]
[[class]]
name = "Straße"
colour = "#804080"
values = [7, 8]
[[class]]
name = "sky"
color = "#4682B4"
value = 23
)"));
    EXPECT_EQ(found.names, (Names{"Straße", "sky"}));
    EXPECT_EQ(found.colours, (Palette{0x804080, 0x4682b4}));
    EXPECT_EQ(found.mask_values, "7=0,8=0,23=1,255=ignore,4=ignore");
}

TEST(ClassesToml, RefusalsSayWhere) {
    const struct {
        const char* text;
        std::vector<std::string> words;
    } rows[] = {
        {"[[class]]\nname = \"a\"\nhue = 3\n", {"classes.toml:3:", "unknown key 'hue'"}},
        {"[[class]]\nname = \"a\"\ncolours = \"#000000\"\n", {":3:", "did you mean colour?"}},
        {"clas = 1\n[[class]]\nname = \"a\"\n", {":1:", "did you mean class?"}},
        {"[[class]]\ncolour = \"#000000\"\n", {":1:", "without a name"}},
        {"[[class]]\nname = \"\"\n", {":2:", "is a text"}},
        {"[[class]]\nname = 3\n", {":2:", "is a text"}},
        {"class = [1, 2]\n", {":1:", "[[class]]"}},
        {"[[class]]\nname = \"a\"\ncolour = \"red\"\n", {":3:", "#804080"}},
        {"[[class]]\nname = \"a\"\ncolour = \"#12345g\"\n", {":3:", "#804080"}},
        {"[[class]]\nname = \"a\"\nvalues = [1.5]\n", {":3:", "a number from 0"}},
        {"[[class]]\nname = \"a\"\nvalues = -1\n", {":3:", "a number from 0"}},
        {"[[class]]\nname = \"a\"\nvalues = { x = 1 }\n", {":3:", "such as [7, 8]"}},
        {"[[class]]\nname = \"a\"\nvalues = [1, \"#000000\"]\n", {":3:", "all numbers, or all colours"}},
        {"[[class]]\nname = \"a\"\nvalue = 1\n[[class]]\nname = \"b\"\nvalue = 1\n", {"'1' is given twice"}},
        {"[[class]]\nname = \"a\"\nvalue = 70000\n", {"not a number up to 65535"}},
        {"[[class]]\nname = \"a\"\nvalue = 1\n[[class]]\nname = \"b\"\n", {"1 of 2 classes have values"}},
        {"[[class]]\nname = \"a\"\ncolour = \"#000000\"\n[[class]]\nname = \"b\"\n", {"1 of 2 classes have a colour"}},
        {"[[class]\n", {"classes.toml:1:"}},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.text);
        TempDir dir;
        const std::string path = toml(dir, row.text);
        expect_error<DataError>([&] { read_classes_toml(path); }, row.words);
    }
}

TEST(ClassesToml, OfAnotherProgramIsPassedOverWithANote) {
    TempDir dir;
    flat(dir, 2);
    toml(dir, "");
    const Dataset set = find(dir);
    EXPECT_TRUE(set.class_names.empty());
    ASSERT_FALSE(set.notes.empty());
    EXPECT_NE(set.notes.back().find("no [[class]]"), std::string::npos) << set.notes.back();
}

TEST(ClassesToml, InTheSetComesBeforeItsOtherNames) {
    TempDir dir;
    flat(dir, 3);
    write_text(dir / "class_names.txt", "background\ncell\n");
    toml(dir, "[[class]]\nname = \"glass\"\nvalue = 0\n[[class]]\nname = \"nucleus\"\nvalue = 255\n");
    const Dataset set = find(dir);
    EXPECT_EQ(set.class_names, (Names{"glass", "nucleus"}));
    EXPECT_EQ(set.mask_values, "0=0,255=1");
}

TEST(GivenClassNames, AreNamesOrAFileOfAnyName) {
    TempDir dir;
    flat(dir, 2);
    write_text(dir / "mine.txt", "ground\ncell\n");
    write_text(dir / "mine.csv", "name,r,g,b\nground,1,2,3\ncell,4,5,6\n");
    write_text(dir / "ids.csv", "Pixel Value, Class\n0, ground\n1, cell\n");
    write_text(dir / "mine.toml", "[[class]]\nname = \"ground\"\n[[class]]\nname = \"cell\"\n");
    write_text(dir / "mine.yaml", "names: [ground, cell]\n");
    write_text(dir / "class_names.txt", "other\nnames\n");
    for (const char* given :
         {"ground,cell", "ground, cell", "mine.txt", "mine.csv", "ids.csv", "mine.toml", "mine.yaml"}) {
        const Dataset set = find(dir, [&](DatasetOptions& options) { options.class_names = given; });
        EXPECT_EQ(set.class_names, (Names{"ground", "cell"})) << given;
    }
    EXPECT_EQ(given_class_names(dir / "mine.csv", "").colours, (Palette{0x010203, 0x040506}));
    expect_error<DataError>([&] { given_class_names("none.txt", dir.path().string()); }, {"none.txt", "no such file"});
    expect_error<DataError>([&] { given_class_names("a,,b", dir.path().string()); }, {"a name is empty"});
}

}  // namespace atrous::data::test
