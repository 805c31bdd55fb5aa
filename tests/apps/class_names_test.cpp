// The names and colours that lie beside a data set, on their way into tables, checkpoints and masks.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "data/image.h"
#include "tests/apps/program.h"

namespace atrous {

namespace fs = std::filesystem;
using test::Outcome, test::program, test::shell;

TEST(ClassNamesTest, OfTheSetAreInTablesAndMasks) {
    const fs::path root = fs::temp_directory_path() / ("atrous names " + std::to_string(getpid()));
    for (const char* folder : {"images", "masks"}) fs::create_directories(root / folder);
    constexpr int side = 16;
    for (int i = 0; i < 8; ++i) {
        data::Image image = data::make_image<uint8_t>(side, side, 3), mask = image;
        for (int p = 0; p < side * side; ++p) {  // from left to right: water (dark), field, road (bright)
            const int id = p % side / 6;
            for (int ch = 0; ch < 3; ++ch) image.u8[size_t(3 * p + ch)] = uint8_t(100 * id + (p * 7 + i) % 30);
            mask.u8[size_t(3 * p + id)] = 200;
        }
        const std::string name = "p" + std::to_string(i) + ".png";
        data::save_png((root / "images" / name).string(), image);
        data::save_png((root / "masks" / name).string(), mask);
    }
    std::ofstream(root / "class_dict.csv") << "name,r,g,b\nwater,200,0,0\nfield,0,200,0\nroad,0,0,200\n";
    const auto run = [&](const std::string& arguments) {
        const Outcome outcome = shell("cd '" + root.string() + "' && " + program() + " " + arguments + " --threads 1");
        EXPECT_EQ(outcome.code, 0) << outcome.output;
        return outcome.output;
    };
    run("train --data . --size 16 --base-channels 4 --depth 1 --epochs 25 --batch-size 4 --lr 2e-2 --workers 0 "
        "--val-fraction 0.25 --output-dir run");
    const std::string scores = run("eval --data . --checkpoint run");
    for (const char* name : {"\n  water ", "\n  field ", "\n  road "})
        EXPECT_NE(scores.find(name), std::string::npos) << scores;
    run("predict images/p0.png --checkpoint run --output out --save index overlay");
    const data::Image index = data::load_image((root / "out" / "p0_index.png").string());  // palettes are expanded
    const data::Image mask = data::load_image((root / "masks" / "p0.png").string());
    int same = 0;
    for (size_t p = 0; p < size_t(side * side); ++p)
        same += std::equal(&index.u8[3 * p], &index.u8[3 * p] + 3, &mask.u8[3 * p]);
    EXPECT_GT(same, side * side * 8 / 10) << "the mask has the colours of the training's masks";
    // Another set's names and colours.
    std::ofstream(root / "own.toml")
        << "[[class]]\nname = \"a\"\ncolour = \"#0a0b0c\"\n[[class]]\nname = \"b\"\ncolour = "
           "\"#0d0e0f\"\n[[class]]\nname = \"c\"\ncolour = \"#101112\"\n";
    run("predict images/p0.png --checkpoint run --output own --save index --class-names own.toml");
    const data::Image own = data::load_image((root / "own" / "p0_index.png").string());
    for (size_t p = 0; p < size_t(side * side); ++p)
        EXPECT_EQ(own.u8[3 * p], index.u8[3 * p] ? 0x0a : index.u8[3 * p + 1] ? 0x0d : 0x10) << p;
    EXPECT_NE(run("eval --data . --checkpoint run --class-names own.toml --mask-values '#c80000,#00c800,#0000c8'")
                  .find("\n  b "),
              std::string::npos);
    // A training goes on where classes were renamed and an image of another size was added.
    std::ofstream(root / "class_dict.csv") << "name,r,g,b\nsea,200,0,0\nfield,0,200,0\nroad,0,0,200\n";
    data::Image large = data::make_image<uint8_t>(40, 20, 3);
    data::save_png((root / "images" / "q.png").string(), large);
    for (size_t p = 0; p < 40 * 20; ++p) large.u8[3 * p] = 200;
    data::save_png((root / "masks" / "q.png").string(), large);
    EXPECT_NE(run("eval --data . --checkpoint run").find("class 0 is sea in the data set and water in the checkpoint"),
              std::string::npos);
    run("train --resume run --epochs 26");
    EXPECT_NE(run("eval --data . --checkpoint run/last.safetensors").find("\n  sea "), std::string::npos);
    // The user's names come before the set's, and have to be as many as the classes.
    run("train --data . --size 16 --base-channels 4 --depth 1 --epochs 1 --batch-size 4 --workers 0 "
        "--class-names lake,meadow,street --output-dir named");
    EXPECT_NE(run("eval --data . --checkpoint named").find("\n  meadow "), std::string::npos);
    const Outcome two = shell("cd '" + root.string() + "' && " + program() +
                              " train --data . --size 16 --class-names lake,meadow --output-dir two");
    EXPECT_EQ(two.code, 2);
    const Outcome checked =
        shell("cd '" + root.string() + "' && " + program() + " data check . --class-names lake,meadow");
    EXPECT_EQ(checked.code, 3);
    EXPECT_NE(checked.output.find("--class-names gives 2 names"), std::string::npos) << checked.output;
    EXPECT_NE(two.output.find("--class-names gives 2 names, but 3 classes are trained"), std::string::npos)
        << two.output;
    fs::remove_all(root);
}

}  // namespace atrous
