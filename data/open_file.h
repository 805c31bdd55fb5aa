// Files of a data set, opened and read with errors that a user understands.
#pragma once

#include <string>
#include <vector>

#include "base/posix.h"

namespace atrous::data {

// DataError for what is missing, no regular file, or not allowed to be read.
io::FileDescriptor open_file(const std::string& path);
int64_t size_of_file(const io::FileDescriptor& file, const std::string& path);  // in bytes; DataError
// Up to `bytes` bytes from `offset` on, fewer only at the file's end. DataError.
size_t read_part(const io::FileDescriptor& file, void* to, size_t bytes, uint64_t offset, const std::string& path);

}  // namespace atrous::data
