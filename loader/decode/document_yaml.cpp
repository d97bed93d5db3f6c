// SPDX-License-Identifier: Apache-2.0
// YAML -> tree, from yaml-cpp's event interface: aliases share what they name instead of copying it.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <spanstream>
#include <unordered_map>
#include <unordered_set>

#include "loader/decode/document.hpp"
#include "loader/decode/scalar.hpp"
#include "yaml-cpp/eventhandler.h"

namespace weir::decode {
namespace {

struct Refused {
    int line;
    std::string why;
};

int line_of(const YAML::Mark& mark) {
    return mark.line + 1;
}

constexpr std::string_view core_tag = "tag:yaml.org,2002:";

Value::Kind resolve(const std::string& tag, std::string_view text) {
    if (tag.empty() || tag == "?") return resolve_plain(text);
    for (auto [name, kind] : {std::pair("int", Value::Kind::integer),
                              {"bool", Value::Kind::boolean},
                              {"null", Value::Kind::null},
                              {"float", Value::Kind::real}})
        if (tag == std::string(core_tag) + name && resolve_plain(text) == kind) return kind;
    return Value::Kind::text;
}

class Handler : public YAML::EventHandler {
public:
    explicit Handler(Document& document) : document_(document), tree_(document) {}

    void OnDocumentStart(const YAML::Mark& mark) override {
        // yaml-cpp 0.7 never gets past a ',' in such a place: each document that it finds there is empty.
        if (mark.pos == document_start_)
            throw Refused{line_of(mark), "is not valid YAML: a document does not start so"};
        document_start_ = mark.pos;
        frames_.clear();
        anchored_.clear();
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        finish(Value(Value::Kind::null, where(mark), {}), anchor, values_);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        auto text = tree_.keep(value);
        if (tag != "!" && text == "<<" && wants_key()) merge_next_ = true;
        finish(Value(resolve(tag, text), where(mark), text), anchor, values_);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        auto target = anchored_.find(anchor);
        if (target == anchored_.end()) throw Refused{line_of(mark), "has an alias inside what it stands for"};
        spend(target->second.size, mark);
        finish(target->second.value, 0, values_);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open({.is_map = false, .mark = tree_.open_items()}, mark, anchor);
    }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open({.is_map = true, .mark = tree_.open_members()}, mark, anchor);
    }

    void OnSequenceEnd() override {
        auto frame = close();
        finish(tree_.close_list(frame.mark, frame.where), frame.anchor, frame.values_before);
    }
    void OnMapEnd() override {
        auto frame = close();
        if (!frame.merged.empty()) merge_into(frame);
        finish(tree_.close_map(frame.mark, frame.where), frame.anchor, frame.values_before);
    }

private:
    struct Frame {
        bool is_map = false;
        std::size_t mark = 0;
        std::uint32_t where = 0;
        YAML::anchor_t anchor = 0;
        std::size_t values_before = 0;
        bool has_key = false;
        bool merges = false;  // the key was <<
        std::string_view key = {};
        std::vector<Value> merged = {};
    };
    struct Anchored {
        Value value;
        std::size_t size;  // in values, aliases resolved
    };

    static std::uint32_t where(const YAML::Mark& mark) { return static_cast<std::uint32_t>(line_of(mark)); }
    bool wants_key() const { return !frames_.empty() && frames_.back().is_map && !frames_.back().has_key; }

    void open(Frame frame, const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (frames_.size() >= static_cast<std::size_t>(max_depth))
            throw Refused{line_of(mark), fmt::format("is nested more than {} levels deep", max_depth)};
        if (wants_key()) throw Refused{line_of(mark), "has a list or a map as the key of a map"};
        frame.where = where(mark);
        frame.anchor = anchor;
        frame.values_before = values_;
        frames_.push_back(std::move(frame));
    }

    Frame close() {
        auto frame = std::move(frames_.back());
        frames_.pop_back();
        return frame;
    }

    // Text may name the same thing again and again: what it says then is bounded, and with it all work that follows.
    void spend(std::size_t values, const YAML::Mark& mark) {
        values_ += values;
        aliased_ += values;
        if (aliased_ > max_aliased_values)
            throw Refused{line_of(mark), "says more by aliases than weir takes; write it out"};
    }

    void finish(Value value, YAML::anchor_t anchor, std::size_t values_before) {
        ++values_;
        if (anchor) anchored_[anchor] = {value, values_ - values_before};
        if (frames_.empty()) {
            if (value.kind() != Value::Kind::null) document_.roots.push_back(value);
            return;
        }
        auto& frame = frames_.back();
        if (!frame.is_map) {
            tree_.add(value);
        } else if (!frame.has_key) {
            if (value.kind() == Value::Kind::list || value.kind() == Value::Kind::map)
                throw Refused{static_cast<int>(value.where()), "has a list or a map as the key of a map"};
            frame.key = value.text();
            frame.has_key = true;
            frame.merges = std::exchange(merge_next_, false);
        } else {
            frame.has_key = false;
            if (!frame.merges)
                tree_.add(frame.key, value);
            else if (value.kind() == Value::Kind::list)
                frame.merged.insert(frame.merged.end(), value.items().begin(), value.items().end());
            else
                frame.merged.push_back(value);
        }
    }

    // Adds the merged members. A map's own members take precedence, in whichever order they stand.
    void merge_into(const Frame& frame) {
        std::unordered_set<std::string_view> keys;
        for (const auto& member : tree_.members_since(frame.mark)) keys.insert(member.key);
        for (const auto& map : frame.merged) {
            if (map.kind() != Value::Kind::map)
                throw Refused{static_cast<int>(map.where()), "merges (<<) something that is not a map"};
            for (const auto& member : map.members())
                if (keys.insert(member.key).second) tree_.add(member.key, member.value);
        }
    }

    Document& document_;
    TreeBuilder tree_;
    std::vector<Frame> frames_;
    std::unordered_map<YAML::anchor_t, Anchored> anchored_;
    std::size_t values_ = 0;
    std::size_t aliased_ = 0;
    int document_start_ = -1;
    bool merge_next_ = false;
};

}  // namespace

void parse_yaml(std::string_view text, Document& document) {
    document.where_is_line = true;
    auto fail = [&](int line, std::string why) {
        document.roots.clear();
        document.failure = std::move(why);
        document.failure_line = line;
    };
    if (!valid_utf8(text, document)) return;
    if (auto nul = text.find('\0'); nul != std::string_view::npos)
        return fail(LineFinder(text).line(nul), "is not valid YAML: a NUL byte stands here");
    try {
        std::ispanstream stream{std::span<const char>(text)};
        YAML::Parser parser(stream);
        Handler handler(document);
        while (parser.HandleNextDocument(handler)) continue;
    } catch (const Refused& refused) {
        fail(refused.line, refused.why);
    } catch (const YAML::Exception& error) {
        fail(error.mark.line < 0 ? 0 : line_of(error.mark), fmt::format("is not valid YAML: {}", error.msg));
    } catch (const std::exception& error) {
        fail(0, fmt::format("is not valid YAML: {}", error.what()));
    }
}

}  // namespace weir::decode
