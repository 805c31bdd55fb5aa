// Writes the mask that a trained net predicts for an image, as FOLDER/mask_binary.png.
//   predict CHECKPOINT_OR_RUN_FOLDER IMAGE FOLDER
#include <atrous/base/error.h>
#include <atrous/segmentation/checkpoint_path.h>
#include <atrous/segmentation/predictor.h>

#include <cstdio>

int main(int argc, char** argv) try {
    if (argc != 4) throw atrous::UsageError("usage: predict CHECKPOINT_OR_RUN_FOLDER IMAGE FOLDER");
    atrous::NoMessages silent;
    const atrous::Device device = atrous::open_device({}, silent);  // a GPU where there is one
    atrous::LoadedNet net = atrous::load_net(atrous::checkpoint_file(argv[1]), device, /*as trained*/ "");
    atrous::Predictor predictor(net, {"binary"}, /*threshold of the logit*/ 0, argv[3]);
    std::printf("%s\n", predictor.predict({.image = argv[2], .name = "mask"}).c_str());
} catch (const atrous::Error& e) {
    std::fprintf(stderr, "predict: %s\n", e.what());
    return 1;
}
