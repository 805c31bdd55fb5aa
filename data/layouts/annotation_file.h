// Reading annotation files in JSON: what is missing or of another kind is one line with the file and the place.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/polygon.h"

namespace atrous::data::annotation {

using Json = nlohmann::json;

Json read_json(const std::string& path);                            // DataError
Json parse_json(const std::string& text, const std::string& path);  // likewise
// A member of an object; DataError where `object` is none or lacks it. `place` says where in the file it is.
const Json& member(const Json& object, const char* name, const std::string& place);
std::string text(const Json& object, const char* name, const std::string& place);
double number(const Json& value, const std::string& place);
int64_t integer(const Json& object, const char* name, const std::string& place);
const Json& array(const Json& object, const char* name, const std::string& place);
Ring ring_of_pairs(const Json& points, const std::string& place);  // [[x, y], …]

}  // namespace atrous::data::annotation
