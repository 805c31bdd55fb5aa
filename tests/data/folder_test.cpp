// Folders when the file system says no: one line that names the path and the reason, and one bad entry stops no other.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/dataset.h"
#include "data/list.h"
#include "data/synth.h"
#include "sets.h"

namespace atrous::data::test {

namespace {

const std::string loop_reason = "Too many levels of symbolic links", long_reason = "File name too long";

void link_to_itself(const TempDir& dir, const std::string& name) {
    fs::create_symlink(fs::path(dir / name).filename(), dir.path() / name);
}

std::string long_path() {
    std::string path;
    while (path.size() < 5000) path += "folder/";
    return path + "x.png";
}

// Paths below the folder, and the skips' likewise.
ImageList found(const TempDir& dir, bool below) {
    ImageList list = find_images(dir.path().string(), below);
    for (auto* lines : {&list.images, &list.skipped})
        for (auto& line : *lines)
            for (size_t at; (at = line.find(dir.path().string() + "/")) != std::string::npos;)
                line.erase(at, dir.path().string().size() + 1);
    return list;
}

// A working folder that was deleted, for as long as this lives.
class DeletedFolder {
 public:
    DeletedFolder() : before_(open(".", O_RDONLY | O_DIRECTORY)) {
        TempDir gone;
        EXPECT_EQ(chdir(gone.path().c_str()), 0);
    }
    ~DeletedFolder() {
        EXPECT_EQ(fchdir(before_), 0);
        close(before_);
    }

 private:
    int before_;
};

}  // namespace

TEST(Folder, BadEntriesAreNamedAndStopNoOther) {
    TempDir dir;
    for (const char* name : {"a.png", "z.jpg"}) add_image(dir / name);
    link_to_itself(dir, "loop.png");
    link_to_itself(dir, "loop");
    fs::create_symlink("gone.png", dir.path() / "broken.png");
    fs::create_symlink("gone", dir.path() / "notes.txt");
    fs::create_directory(dir.path() / "folder.png");
    ASSERT_EQ(mkfifo((dir.path() / "pipe.png").c_str(), 0600), 0);
    const Names images = {"a.png", "z.jpg"};
    Names skipped = {"broken.png: No such file or directory", "loop.png: " + loop_reason,
                     "pipe.png: neither a file nor a folder"};
    EXPECT_EQ(found(dir, false).images, images);
    EXPECT_EQ(found(dir, false).skipped, skipped);
    skipped.insert(skipped.begin() + 2, "loop: " + loop_reason);
    EXPECT_EQ(found(dir, true).images, images);
    EXPECT_EQ(found(dir, true).skipped, skipped);
    EXPECT_EQ(find_images(dir.path().string()).images.size(), 2u);
}

TEST(Folder, LinkedFoldersAreFollowedEachOnce) {
    TempDir dir, other;
    add_image(other / "deep/o.png");
    for (const char* name : {"a b.png", "a/x.png", "m/y.png"}) add_image(dir / name);
    fs::create_directory_symlink(other.path(), dir.path() / "elsewhere");
    fs::create_directory_symlink("m", dir.path() / "again");  // sorts before the folder itself
    fs::create_directory_symlink("..", dir.path() / "m" / "up");
    const ImageList list = found(dir, true);
    EXPECT_EQ(list.images, (Names{"a/x.png", "a b.png", "elsewhere/deep/o.png", "m/y.png"}));
    ASSERT_EQ(list.skipped.size(), 2u);
    EXPECT_EQ(list.skipped[0], "again: the same folder as m, whose images are taken once");
    EXPECT_TRUE(list.skipped[1].starts_with("m/up: the same folder as ")) << list.skipped[1];
    EXPECT_EQ(found(dir, false).images, (Names{"a b.png"}));
}

TEST(Folder, AnUnreadableFolderIsNamed) {
    if (geteuid() == 0) GTEST_SKIP() << "permissions do not bind root";
    TempDir dir;
    add_image(dir / "a.png");
    add_image(dir / "closed/b.png");
    fs::permissions(dir.path() / "closed", fs::perms::none);
    EXPECT_EQ(found(dir, true).images, (Names{"a.png"}));
    EXPECT_EQ(found(dir, true).skipped, (Names{"closed: Permission denied"}));
    expect_error([&] { find_images((dir.path() / "closed").string()); }, {"closed", "Permission denied"});
    fs::permissions(dir.path() / "closed", fs::perms::owner_all);
}

TEST(Folder, WhatIsNoFolderSaysWhy) {
    TempDir dir;
    link_to_itself(dir, "loop");
    DatasetOptions options;
    for (const auto& [path, reason] :
         {std::pair{dir / "loop", loop_reason}, {(dir.path() / long_path()).string(), long_reason}}) {
        expect_error([&, path = path] { find_images(path); }, {path, reason});
        expect_error([&, path = path] { find_images(path, true); }, {path, reason});
        expect_error([&, path = path] { load_image(path); }, {path, reason});
        expect_error([&, path = path] { read_list(path); }, {path, reason});
        options.root = path;
        expect_error([&] { find_dataset(options); }, {path, reason});
        expect_error<IoError>([&, path = path] { write_dataset(path, 2, 16, 1, 0.5); }, {path, reason});
    }
    link_to_itself(dir, "empty/loop.png");
    expect_error([&] { find_images(dir / "empty"); }, {"no images", "loop.png: " + loop_reason});
}

TEST(Folder, ADeletedWorkingFolderIsAnErrorOfData) {
    const DeletedFolder gone;
    DatasetOptions options;
    for (const char* path : {".", "data", "./a.png"}) {
        options.root = path;
        expect_error([&] { find_images(path); }, {path});
        expect_error([&] { find_images(path, true); }, {path});
        expect_error([&] { find_dataset(options); }, {path});
        expect_error([&] { load_image(path); }, {path});
        Sample sample;
        sample.image_path = path;
        EXPECT_NO_THROW(file_key(sample));
    }
    expect_error<IoError>([] { write_dataset("set", 2, 16, 1, 0.5); }, {"set", "No such file or directory"});
}

TEST(Folder, ADataSetWithBadEntriesIsFoundWithoutThem) {
    TempDir dir;
    flat(dir, 4);
    link_to_itself(dir, "images/loop.jpg");
    fs::create_symlink("gone.png", dir.path() / "masks" / "broken.png");
    const Dataset dataset = find(dir);
    EXPECT_EQ(dataset.train.size() + dataset.val.size(), 4u);
    ASSERT_EQ(dataset.warnings.size(), 1u);
    for (const auto& part : Names{"2 files", "broken.png: No such file", "loop.jpg: " + loop_reason})
        EXPECT_NE(dataset.warnings[0].find(part), std::string::npos) << dataset.warnings[0];

    fs::remove(dir.path() / "masks" / "b1.png");
    link_to_itself(dir, "masks/b1.png");
    expect_error([&] { find(dir); }, {"1 of 4 images have no mask", "masks/b1.png: " + loop_reason});
}

TEST(Folder, LoopsInTheLayoutAreNamed) {
    TempDir dir;
    flat(dir, 2, "photos/", "masks/");
    link_to_itself(dir, "images");
    expect_error([&] { find(dir); }, {"no data set", "images (" + loop_reason + ")", "masks/"});
    fs::remove(dir.path() / "images");
    link_to_itself(dir, "VOCdevkit");
    expect_error([&] { find(dir); }, {"no data set", "VOCdevkit (" + loop_reason + ")"});
    link_to_itself(dir, "train.txt");
    expect_error([&] { find(dir); }, {"train.txt (" + loop_reason + ")"});
}

TEST(Folder, ListsThatNameWhatCannotBeLookedAt) {
    TempDir dir;
    flat(dir, 2);
    link_to_itself(dir, "images/loop.jpg");
    const auto with = [&](const std::string& image) {
        write_text(dir / "l.csv", "image,mask\n" + image + ",masks/a0.png\n");
        return [&dir] { find(dir, [&](auto& o) { o.train_list = dir / "l.csv"; }); };
    };
    expect_error(with("images/loop.jpg"), {"l.csv", "images/loop.jpg", "line 2", loop_reason});
    expect_error(with(long_path()), {"l.csv", long_path(), long_reason});
    write_text(dir / "l.csv", "img,rle_mask\n" + long_path() + ",1 2\n");
    expect_error([&] { find(dir, [&](auto& o) { o.train_list = dir / "l.csv"; }); }, {long_path(), long_reason});
    ASSERT_EQ(mkfifo((dir.path() / "pipe.txt").c_str(), 0600), 0);
    expect_error([&] { read_list(dir / "pipe.txt"); }, {"pipe.txt", "not a file"});  // and does not wait for a writer
}

}  // namespace atrous::data::test
