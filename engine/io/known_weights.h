// Published weight files that are recognized by their contents.
#pragma once

#include <span>
#include <string>

namespace atrous::io {

struct KnownWeights {
    const char* sha256;  // its first 8 digits, which the publisher puts into the file's name
    const char* name;    // "resnet18", as torchvision calls it
    const char* about;   // "ImageNet, IMAGENET1K_V1"
};
std::span<const KnownWeights> known_weights();

// The file of this SHA-256 (hexadecimal), or null. 8 digits tell files apart; they prove nothing about their origin.
const KnownWeights* recognize(const std::string& sha256);

// One line about a file: the name of a known one; else, where the name ends in -xxxxxxxx.pth as PyTorch's do and these
// are not the digits of its SHA-256, a warning; else nothing.
std::string recognized(const std::string& path);

}  // namespace atrous::io
