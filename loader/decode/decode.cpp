// SPDX-License-Identifier: Apache-2.0
#include "loader/decode/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "loader/decode/decode_kinds.hpp"
#include "loader/decode/document.hpp"
#include "loader/decode/reader.hpp"

namespace weir::decode {
namespace {

using namespace std::string_view_literals;

struct KindEntry {
    model::Kind kind;
    NameScope scope;
    std::string_view api_version;
    model::Object (*decode)(Reader&, const Field&, const Metadata&);
};

const std::array<KindEntry, 5> kinds{{
    {model::Kind::service, {"Service", true, &dns1035_label, true}, "v1", decode_service},
    {model::Kind::endpoint_slice,
     {"EndpointSlice", true, &dns1123_subdomain, true},
     "discovery.k8s.io/v1",
     decode_endpoint_slice},
    {model::Kind::endpoints, {"Endpoints", true, &dns1123_subdomain, true}, "v1", decode_endpoints},
    {model::Kind::pod, {"Pod", true, &dns1123_subdomain, false}, "v1", decode_pod},
    {model::Kind::node, {"Node", false, &dns1123_subdomain, false}, "v1", decode_node},
}};

std::string_view group_of(std::string_view api_version) {
    auto slash = api_version.find('/');
    return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

const KindEntry* find_kind(std::string_view kind, std::string_view api_version) {
    auto found = std::ranges::find_if(kinds, [&](const auto& entry) {
        return entry.scope.kind == kind && group_of(entry.api_version) == group_of(api_version);
    });
    return found == kinds.end() ? nullptr : &*found;
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// No API has as many kinds; a hostile text might.
constexpr std::size_t most_skipped = 1000;

class Decoder {
public:
    Decoder(Document& document, std::string_view text, const model::FileName& file, Decoded& decoded)
        : reader_(document, text, file, decoded), decoded_(decoded) {}

    // listed: the entry whose typed list this is an item of; such items may omit kind and apiVersion.
    void object(const Field& at, const KindEntry* listed) {
        reader_.begin(*at.value);
        if (at.value->kind() != Value::Kind::map) {
            reader_.error(at, fmt::format("{} stands where a Kubernetes object should; use a map with apiVersion, kind "
                                          "and metadata",
                                          shown(*at.value)));
            return;
        }
        auto kind_field = reader_.child(at, "kind");
        auto version_field = reader_.child(at, "apiVersion");
        auto kind = reader_.text(kind_field);
        auto version = reader_.text(version_field);
        if (kind == "") kind.reset();  // as Go leaves out what is empty
        if (version == "") version.reset();
        if (reader_.failed()) return;
        if (!kind && !listed) return reader_.error(kind_field, "is missing; say which kind of object this is");
        if (!version && !listed) return reader_.error(version_field, "is missing; v1 is a Service's, for example");
        const auto* entry = kind ? find_kind(*kind, version.value_or(listed ? listed->api_version : ""sv)) : listed;
        if (entry) return known(at, *entry, version_field, version);
        constexpr auto suffix = "List"sv;
        if (!kind->ends_with(suffix)) return skip(*kind, version.value_or(""));
        auto item_kind = kind->substr(0, kind->size() - suffix.size());
        const auto* item_entry = find_kind(item_kind, version.value_or(""));
        if (!item_kind.empty() && !item_entry) return skip(*kind, version.value_or(""));
        reader_.map(at);
        reader_.each(reader_.child(at, "items"), [&](const Field& item) { object(item, item_entry); });
    }

private:
    void skip(std::string_view kind, std::string_view version) {
        // A Service of another API group (Knative has one) is not the Service that people would think of.
        bool ambiguous = std::ranges::any_of(kinds, [kind](const auto& entry) { return entry.scope.kind == kind; });
        auto name = ambiguous ? fmt::format("{} ({})", kind, version) : std::string(kind);
        if (std::ranges::any_of(name, is_control) || name.size() > 100) name = shown(name);  // it goes to a log
        if (decoded_.skipped.size() == most_skipped) return;
        if (std::ranges::find(decoded_.skipped, name) == decoded_.skipped.end()) decoded_.skipped.push_back(name);
    }

    void known(const Field& at, const KindEntry& entry, const Field& version_field,
               std::optional<std::string_view> version) {
        auto metadata = decode_metadata(reader_, at, entry.scope);
        if (version && *version != entry.api_version)
            reader_.error(version_field, fmt::format("{} is not read; use {}", shown(*version), entry.api_version));
        if (!metadata) return;
        auto identity = std::tuple(&entry, metadata->name);
        auto [first, fresh] = first_lines_.emplace(identity, metadata->origin.line);
        if (!fresh) {
            reader_.error(at,
                          fmt::format("is given twice in this file; the first, in line {}, is used", first->second));
            return;
        }
        auto decoded = entry.decode(reader_, at, *metadata);
        if (reader_.failed()) {
            decoded_.refused.push_back({entry.kind, metadata->name});
            return;
        }
        decoded_.objects.push_back(std::move(decoded));
        decoded_.fingerprints.push_back(fingerprint(*at.value));
    }

    Reader reader_;
    Decoded& decoded_;
    std::map<std::tuple<const KindEntry*, model::ObjectName>, int> first_lines_;
};

void malformed(Decoded& decoded, const model::FileName& file, int line, std::string what) {
    std::ranges::replace_if(what, is_control, '?');  // yaml-cpp quotes the text as it is
    decoded = {};
    decoded.malformed = true;
    decoded.problems.push_back({model::Severity::error, {file, line}, "", std::move(what)});
}

}  // namespace

Decoded decode(std::string_view text, Format format, const model::FileName& file) {
    Decoded decoded;
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark, as some editors write
    try {
        if (text.size() >= max_text_size) {
            malformed(decoded, file, 0, fmt::format("is larger than {} MiB; split it", max_text_size >> 20));
            return decoded;
        }
        Document document;
        if (format == Format::json)
            parse_json(text, document);
        else
            parse_yaml(text, document);
        if (!document.failure.empty()) {
            malformed(decoded, file, document.failure_line, document.failure);
            return decoded;
        }
        Decoder decoder(document, text, file, decoded);
        for (const auto& root : document.roots) decoder.object(Field{.value = &root}, nullptr);
    } catch (const std::exception& error) {  // out of memory, which only a hostile text brings about
        malformed(decoded, file, 0, fmt::format("cannot be read: {}", error.what()));
    }
    return decoded;
}

}  // namespace weir::decode
