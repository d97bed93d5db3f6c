// SPDX-License-Identifier: Apache-2.0
#include "loader/source/manifests/manifest_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::source {

namespace {

bool is_good(const FileReading& reading) {
    return reading.state == FileReading::State::read && !reading.decoded.malformed;
}

// There are tens of thousands: in one text they take half of what an Identity does.
std::string packed(const model::Identity& identity) {
    std::string text(1, static_cast<char>(identity.kind));
    return text.append(identity.name.name_space).append(1, '\0').append(identity.name.name);
}

model::Identity unpacked(const model::SharedText& text) {
    auto kind = static_cast<model::Kind>(text.view().front());
    auto names = text.view().substr(1);
    auto end = names.find('\0');
    return {kind, {std::string(names.substr(0, end)), std::string(names.substr(end + 1))}};
}

std::string title(const model::Identity& identity) {
    return fmt::format("{} {}", model::to_string(identity.kind), identity.name.to_string());
}

}  // namespace

std::vector<model::Change> ManifestStore::update(Readings readings, const Reread& reread) {
    Touched touched;
    for (auto& [name, reading] : readings) take(name, reading, touched);
    auto out = changes(touched, readings, reread);
    for (const auto& [name, reading] : readings)
        if (reading.state == FileReading::State::gone) files_.erase(name);
    return out;
}

void ManifestStore::set_remarks(const model::FileName& file, Remarks remarks) {
    if (auto before = remarks_.find(file); before != remarks_.end()) {
        for (const auto& kind : before->second.skipped)
            if (auto known = skipped_.find(kind); --known->second == 0) skipped_.erase(known);
        remarks_.erase(before);
    }
    for (const auto& kind : remarks.skipped) ++skipped_[kind];
    bool none = remarks.problems.empty() && remarks.skipped.empty() && !remarks.stale;
    if (!none) remarks_.emplace(file, std::move(remarks));
}

void ManifestStore::take(const model::FileName& name, FileReading& reading, Touched& touched) {
    auto& file = files_.try_emplace(name).first->second;
    bool unreadable = reading.state == FileReading::State::unreadable;
    if (unreadable) unread_.insert(name);
    if (unreadable || reading.decoded.malformed) {
        auto problems = unreadable
                            ? std::vector<model::Problem>{{model::Severity::error, {name, 0}, "", reading.failure}}
                            : std::move(reading.decoded.problems);
        auto before = remarks_.find(name);
        auto skipped = before == remarks_.end() ? std::vector<std::string>() : before->second.skipped;
        set_remarks(name, {.problems = std::move(problems), .skipped = std::move(skipped), .stale = true});
        return;
    }
    set_remarks(name, {.problems = std::move(reading.decoded.problems), .skipped = std::move(reading.decoded.skipped)});

    auto before = std::exchange(file, {});
    for (std::size_t i = 0; i < reading.decoded.objects.size(); ++i) {
        const auto& object = reading.decoded.objects[i];
        Given given{name, reading.decoded.fingerprints[i], model::origin_of(object).line};
        file.push_back(give(model::identity_of(object), std::move(given), touched));
    }
    for (const auto& identity : reading.decoded.refused) {
        auto known = objects_.find(packed(identity));
        if (known != objects_.end() && std::ranges::binary_search(before, &known->first)) file.push_back(&known->first);
    }
    std::ranges::sort(file);
    file.shrink_to_fit();
    for (const auto* key : before)
        if (!std::ranges::binary_search(file, key)) withdraw(name, key, touched);
}

ManifestStore::Key ManifestStore::give(const model::Identity& identity, Given given, Touched& touched) {
    auto& [key, now] = *objects_.try_emplace(packed(identity)).first;
    touched.try_emplace(&key, now);
    if (now.file.empty() || now.file == given.file) {
        now = std::move(given);
        return &key;
    }
    auto& outdone = outdone_[&key];
    if (auto mine = std::ranges::find(outdone, given.file, &Given::file); mine != outdone.end())
        *mine = std::move(given);
    else
        outdone.push_back(std::move(given));
    settle(now, outdone);
    return &key;
}

void ManifestStore::withdraw(const model::FileName& file, Key key, Touched& touched) {
    auto& now = objects_.find(*key)->second;
    touched.try_emplace(key, now);
    auto contest = outdone_.find(key);
    if (contest == outdone_.end()) {
        now = {};
        return;
    }
    auto& outdone = contest->second;
    if (now.file == file) now = std::exchange(outdone.back(), {.file = file});
    std::erase_if(outdone, [&](const Given& one) { return one.file == file; });
    settle(now, outdone);
    if (outdone.empty()) outdone_.erase(contest);
}

// The first in name order is in force.
void ManifestStore::settle(Given& now, std::vector<Given>& outdone) {
    auto first = std::ranges::min_element(outdone, {}, &Given::file);
    if (first != outdone.end() && first->file < now.file) std::swap(*first, now);
}

std::vector<model::Change> ManifestStore::changes(const Touched& touched, Readings& readings, const Reread& reread) {
    std::vector<model::Change> out;
    // Wanted from each file. Removals come first: what they free may be wanted by what comes.
    std::map<model::FileName, std::set<Key>> wanted;
    for (const auto& [key, before] : touched) {
        auto entry = objects_.find(*key);
        const auto& now = entry->second;
        if (now.file.empty()) {
            if (!before.file.empty()) {
                auto [kind, name] = unpacked(*key);
                out.emplace_back(model::Remove{kind, std::move(name)});
            }
            objects_.erase(entry);
        } else if (before.file != now.file || before.fingerprint != now.fingerprint || before.missed) {
            wanted[now.file].insert(key);
        }
    }
    for (const auto& [file, keys] : wanted) {
        FileReading again;
        auto* reading = &again;
        if (auto found = readings.find(file); found != readings.end() && is_good(found->second))
            reading = &found->second;
        else
            again = reread(file);
        if (again.state == FileReading::State::unreadable) unread_.insert(file);
        for (const auto* key : keys) objects_.find(*key)->second.missed = true;
        if (!is_good(*reading)) continue;  // the next good reading brings them
        for (std::size_t i = 0; i < reading->decoded.objects.size(); ++i) {
            auto& object = reading->decoded.objects[i];
            auto known = objects_.find(packed(model::identity_of(object)));
            if (known == objects_.end() || !keys.contains(&known->first)) continue;
            // A file that was read again may say something else by now.
            known->second.fingerprint = reading->decoded.fingerprints[i];
            known->second.missed = false;
            out.emplace_back(model::Upsert{std::move(object)});
        }
        // No other file wants anything of this one's: with many files the husks would add up.
        reading->decoded = {};
    }
    return out;
}

std::vector<model::Problem> ManifestStore::problems() const {
    std::vector<model::Problem> out;
    for (const auto& [file, remarks] : remarks_) {
        for (auto problem : remarks.problems) {
            if (remarks.stale) problem.what += "; what was read from this file before stays in force";
            out.push_back(std::move(problem));
        }
    }
    for (const auto& [key, outdone] : outdone_) {
        const auto& counts = objects_.at(*key);
        for (const auto& one : outdone) {
            out.push_back(
                {model::Severity::error,
                 {one.file, one.line},
                 title(unpacked(*key)),
                 fmt::format("is given in {}:{} too, which is used since it comes first in name order; remove "
                             "one of them",
                             counts.file.view(), counts.line)});
        }
    }
    std::ranges::stable_sort(out, {}, [](const model::Problem& problem) { return problem.origin.file; });
    return out;
}

bool ManifestStore::is_whole() const {
    // An error in an object leaves it out, a warning does not.
    auto leaves_out = [](const model::Problem& problem) { return problem.severity == model::Severity::error; };
    return outdone_.empty() && std::ranges::none_of(remarks_, [&](const auto& entry) {
               return entry.second.stale || std::ranges::any_of(entry.second.problems, leaves_out);
           });
}

std::set<std::string> ManifestStore::skipped() const {
    std::set<std::string> out;
    for (const auto& [kind, files] : skipped_) out.insert(kind);
    return out;
}

}  // namespace weir::source
