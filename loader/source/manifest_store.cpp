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

std::vector<model::Change> ManifestStore::update(std::map<std::string, FileReading> readings, const Reread& reread) {
    Touched touched;
    for (auto& [name, reading] : readings) take(name, reading, touched);
    auto out = changes(touched, readings, reread);
    // Only now: what was in force is told by the file's name.
    for (const auto& [name, reading] : readings)
        if (reading.state == FileReading::State::gone) files_.erase(name);
    return out;
}

void ManifestStore::take(const std::string& name, FileReading& reading, Touched& touched) {
    auto [entry, fresh] = files_.try_emplace(name);
    const auto& file_name = entry->first;
    auto& file = entry->second;
    if (reading.state == FileReading::State::unreadable) {
        file.problems = {{model::Severity::error, {name, 0}, "", reading.failure}};
        file.stale = true;
        return;
    }
    file.problems = std::move(reading.decoded.problems);
    file.stale = reading.decoded.malformed;
    if (file.stale) return;
    file.skipped = std::move(reading.decoded.skipped);

    auto before = std::move(file.objects);
    file.objects.clear();
    for (std::size_t i = 0; i < reading.decoded.objects.size(); ++i) {
        const auto& object = reading.decoded.objects[i];
        give(file_name, model::identity_of(object), reading.decoded.fingerprints[i], model::origin_of(object).line,
             touched);
    }
    for (const auto& identity : reading.decoded.refused) {
        auto known = objects_.find(identity);
        if (known != objects_.end() && before.contains(&known->first)) file.objects.insert(&known->first);
    }
    for (const auto* identity : before)
        if (!file.objects.contains(identity)) withdraw(file_name, *identity, touched);
}

const ManifestStore::Given* ManifestStore::in_force(const std::vector<Given>& given) {
    auto first = std::ranges::min_element(given, {}, [](const Given& one) -> const std::string& { return *one.file; });
    return first == given.end() ? nullptr : &*first;
}

void ManifestStore::touch(const Objects::value_type& entry, Touched& touched) {
    const auto* now = in_force(entry.second);
    touched.try_emplace(&entry.first, now ? std::optional(Force{now->file, now->fingerprint}) : std::nullopt);
}

void ManifestStore::give(const std::string& file, const model::Identity& identity, std::uint64_t fingerprint, int line,
                         Touched& touched) {
    auto& entry = *objects_.try_emplace(identity).first;
    touch(entry, touched);
    auto& given = entry.second;
    auto mine = std::ranges::find(given, &file, &Given::file);
    if (mine == given.end())
        given.push_back({&file, fingerprint, line});
    else
        *mine = {&file, fingerprint, line};
    files_.at(file).objects.insert(&entry.first);
    if (given.size() > 1) contested_.insert(&entry.first);
}

void ManifestStore::withdraw(const std::string& file, const model::Identity& identity, Touched& touched) {
    auto& entry = *objects_.find(identity);
    touch(entry, touched);
    std::erase_if(entry.second, [&](const Given& one) { return one.file == &file; });
    if (entry.second.size() < 2) contested_.erase(&entry.first);
}

std::vector<model::Change> ManifestStore::changes(const Touched& touched, std::map<std::string, FileReading>& readings,
                                                  const Reread& reread) {
    std::vector<model::Change> out;
    // Wanted from each file. Removals come first: what they free may be wanted by what comes.
    std::map<std::string, std::set<const model::Identity*>> wanted;
    for (const auto& [identity, before] : touched) {
        auto entry = objects_.find(*identity);
        const auto* now = in_force(entry->second);
        if (!now) {
            if (before) out.emplace_back(model::Remove{identity->kind, identity->name});
            objects_.erase(entry);
        } else if (before != Force{now->file, now->fingerprint}) {
            wanted[*now->file].insert(identity);
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
    }
    return out;
}

std::vector<model::Problem> ManifestStore::problems() const {
    std::vector<model::Problem> out;
    for (const auto& [name, file] : files_) {
        for (auto problem : file.problems) {
            if (file.stale) problem.what += "; what was read from this file before stays in force";
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
                 {*one.file, one.line},
                 title(*identity),
                 fmt::format("is given in {}:{} too, which is used since it comes first in name order; remove "
                             "one of them",
                             *counts->file, counts->line)});
        }
    }
    std::ranges::stable_sort(out, {}, [](const model::Problem& problem) { return problem.origin.file; });
    return out;
}

std::set<std::string> ManifestStore::skipped() const {
    std::set<std::string> out;
    for (const auto& [name, file] : files_) out.insert(file.skipped.begin(), file.skipped.end());
    return out;
}

}  // namespace weir::source
