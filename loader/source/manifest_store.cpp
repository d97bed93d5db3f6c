// SPDX-License-Identifier: Apache-2.0
#include "loader/source/manifest_store.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::source {

namespace {

bool is_good(const FileReading& reading) {
    return reading.state == FileReading::State::read && !reading.decoded.malformed;
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

void ManifestStore::set_remarks(const model::FileName& name, File& file, Remarks remarks) {
    if (file.remarks) {
        for (const auto& kind : file.remarks->skipped)
            if (auto known = skipped_.find(kind); --known->second == 0) skipped_.erase(known);
    }
    for (const auto& kind : remarks.skipped) ++skipped_[kind];
    if (remarks.problems.empty())
        files_with_problems_.erase(name);
    else
        files_with_problems_.insert(name);
    bool none = remarks.problems.empty() && remarks.skipped.empty() && !remarks.stale;
    file.remarks = none ? nullptr : std::make_unique<Remarks>(std::move(remarks));
}

void ManifestStore::take(const model::FileName& name, FileReading& reading, Touched& touched) {
    auto& file = files_.try_emplace(name).first->second;
    bool unreadable = reading.state == FileReading::State::unreadable;
    if (unreadable || reading.decoded.malformed) {
        auto problems = unreadable
                            ? std::vector<model::Problem>{{model::Severity::error, {name, 0}, "", reading.failure}}
                            : std::move(reading.decoded.problems);
        auto skipped = file.remarks ? file.remarks->skipped : std::vector<std::string>();
        set_remarks(name, file, {.problems = std::move(problems), .skipped = std::move(skipped), .stale = true});
        return;
    }
    set_remarks(name, file,
                {.problems = std::move(reading.decoded.problems), .skipped = std::move(reading.decoded.skipped)});

    auto before = std::move(file.objects);
    file.objects.clear();
    for (std::size_t i = 0; i < reading.decoded.objects.size(); ++i) {
        const auto& object = reading.decoded.objects[i];
        Given given{name, reading.decoded.fingerprints[i], model::origin_of(object).line};
        file.objects.push_back(give(model::identity_of(object), std::move(given), touched));
    }
    for (const auto& identity : reading.decoded.refused) {
        auto known = objects_.find(identity);
        if (known != objects_.end() && std::ranges::binary_search(before, &known->first))
            file.objects.push_back(&known->first);
    }
    std::ranges::sort(file.objects);
    file.objects.shrink_to_fit();
    for (const auto* identity : before)
        if (!std::ranges::binary_search(file.objects, identity)) withdraw(name, *identity, touched);
}

const ManifestStore::Given* ManifestStore::in_force(const std::vector<Given>& given) {
    auto first = std::ranges::min_element(given, {}, &Given::file);
    return first == given.end() ? nullptr : &*first;
}

void ManifestStore::touch(const Objects::value_type& entry, Touched& touched) {
    const auto* now = in_force(entry.second);
    touched.try_emplace(&entry.first, now ? std::optional(Force{now->file, now->fingerprint}) : std::nullopt);
}

const model::Identity* ManifestStore::give(const model::Identity& identity, Given given, Touched& touched) {
    auto& entry = *objects_.try_emplace(identity).first;
    touch(entry, touched);
    auto& all = entry.second;
    auto mine = std::ranges::find(all, given.file, &Given::file);
    if (mine == all.end())
        all.push_back(std::move(given));
    else
        *mine = std::move(given);
    if (all.size() > 1) contested_.insert(&entry.first);
    return &entry.first;
}

void ManifestStore::withdraw(const model::FileName& file, const model::Identity& identity, Touched& touched) {
    auto& entry = *objects_.find(identity);
    touch(entry, touched);
    std::erase_if(entry.second, [&](const Given& one) { return one.file == file; });
    if (entry.second.size() < 2) contested_.erase(&entry.first);
}

std::vector<model::Change> ManifestStore::changes(const Touched& touched, Readings& readings, const Reread& reread) {
    std::vector<model::Change> out;
    // Wanted from each file. Removals come first: what they free may be wanted by what comes.
    std::map<model::FileName, std::set<const model::Identity*>> wanted;
    for (const auto& [identity, before] : touched) {
        auto entry = objects_.find(*identity);
        const auto* now = in_force(entry->second);
        if (!now) {
            if (before) out.emplace_back(model::Remove{identity->kind, identity->name});
            objects_.erase(entry);
        } else if (before != Force{now->file, now->fingerprint}) {
            wanted[now->file].insert(identity);
        }
    }
    for (const auto& [file, identities] : wanted) {
        FileReading again;
        auto* reading = &again;
        if (auto found = readings.find(file); found != readings.end() && is_good(found->second))
            reading = &found->second;
        else
            again = reread(file);
        // Unchanged and unreadable now: the watch reports the file again, and the object comes into force then.
        if (!is_good(*reading)) continue;
        for (auto& object : reading->decoded.objects) {
            auto known = objects_.find(model::identity_of(object));
            if (known != objects_.end() && identities.contains(&known->first))
                out.emplace_back(model::Upsert{std::move(object)});
        }
        // No other file wants anything of this one's: with many files the husks would add up.
        reading->decoded = {};
    }
    return out;
}

std::vector<model::Problem> ManifestStore::problems() const {
    std::vector<model::Problem> out;
    for (const auto& name : files_with_problems_) {
        const auto& file = files_.at(name);
        for (auto problem : file.remarks->problems) {
            if (file.remarks->stale) problem.what += "; what was read from this file before stays in force";
            out.push_back(std::move(problem));
        }
    }
    for (const auto* identity : contested_) {
        const auto& given = objects_.at(*identity);
        const auto* counts = in_force(given);
        for (const auto& one : given) {
            if (&one == counts) continue;
            out.push_back(
                {model::Severity::error,
                 {one.file, one.line},
                 title(*identity),
                 fmt::format("is given in {}:{} too, which is used since it comes first in name order; remove "
                             "one of them",
                             counts->file.view(), counts->line)});
        }
    }
    std::ranges::stable_sort(out, {}, [](const model::Problem& problem) { return problem.origin.file; });
    return out;
}

std::set<std::string> ManifestStore::skipped() const {
    std::set<std::string> out;
    for (const auto& [kind, files] : skipped_) out.insert(kind);
    return out;
}

}  // namespace weir::source
