#include "segmentation/settings_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace atrous {

using nlohmann::json;

std::string json_key(const SettingBase& setting) {
    std::string key = setting.stored_key.empty() ? setting.key : setting.stored_key;
    std::replace(key.begin(), key.end(), '-', '_');
    return key;
}

static json json_of(const Word& word) {
    // Numbers and booleans are written alike in both.
    return word.kind == Word::Kind::text ? json(io::as_utf8(word.text)) : json::parse(word.text);
}

json json_of(const SettingBase& setting) {
    json list = json::array();
    for (const Word& word : setting.words()) list.push_back(json_of(word));
    return setting.is_list() ? list : list.at(0);
}

static Word word_of(const json& value) {
    if (value.is_string()) return {io::from_utf8(value.get<std::string>()), Word::Kind::text};
    if (value.is_boolean()) return {value.dump(), Word::Kind::boolean};
    if (value.is_number_integer()) return {value.dump(), Word::Kind::integer};
    if (value.is_number()) return {value.dump(), Word::Kind::number};
    return {"", Word::Kind::other};
}

bool assign_json(SettingBase& setting, const json& value) {
    if (setting.is_list() != value.is_array()) return false;
    std::vector<Word> words;
    if (value.is_array())
        for (const json& element : value) words.push_back(word_of(element));
    else
        words.push_back(word_of(value));
    return setting.assign(words);
}

}  // namespace atrous
