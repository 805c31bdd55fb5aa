// The exceptions that the engine throws. A message is one line: what was found, where, what was expected, what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace atrous {

struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct UsageError : Error {
    using Error::Error;
};  // a flag or configuration value
struct ShapeError : Error {
    using Error::Error;
};  // tensors or layers that do not fit
struct DataError : Error {
    using Error::Error;
};  // an image, mask, list or data set
struct IoError : Error {
    using Error::Error;
};  // a file that cannot be read or written
struct FormatError : IoError {
    using IoError::IoError;
};  // a file whose contents are not what they should be
struct GpuError : Error {
    using Error::Error;
};  // the device, its driver or a launch
struct MemoryError : Error {
    using Error::Error;
};  // no memory left on a device, or more than a stated limit
struct NumericError : Error {
    using Error::Error;
};  // NaN or Inf where a number is needed

// Kernels' own preconditions; `what` is a literal that names the contract.
inline void require(bool ok, const char* what) {
    if (!ok) throw ShapeError(what);
}

}  // namespace atrous
