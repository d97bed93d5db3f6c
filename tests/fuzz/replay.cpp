// SPDX-License-Identifier: Apache-2.0
// Stands in for libFuzzer where the compiler has none: runs the fuzz entry on every file of a corpus, then on
// pseudo-random mutations of them, the same ones for the same seed. An input that kills the process or takes too long
// is left in the file crash-input.
//
//     fuzz_decode [-mutations N] [-seed N] FILE|FOLDER...
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// A function of the sanitizers' runtime; null without it.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t most_mutations = 100'000'000;
constexpr std::size_t longest_input = std::size_t{64} * 1024;  // of a mutation
constexpr long longest_seconds = 20;                           // for one input, under the sanitizers

std::string current;

// Called from signal handlers: system calls only.
void save_current() {
    auto file = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return;
    for (std::string_view rest = current; !rest.empty();) {
        auto written = write(file, rest.data(), rest.size());
        if (written <= 0) break;
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    close(file);
    constexpr auto note = "replay: the input is in crash-input\n"sv;
    (void)!write(STDERR_FILENO, note.data(), note.size());
}

void on_signal(int signal) {
    save_current();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

// Limits processor time, so that a busy machine causes no finding.
void limit(long seconds) {
    itimerval timer{};
    timer.it_value.tv_sec = seconds;
    setitimer(ITIMER_PROF, &timer, nullptr);
}

void run(std::string input) {
    current = std::move(input);
    limit(longest_seconds);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(current.data()), current.size());
    limit(0);
}

// Words that random bytes would hardly ever spell.
constexpr auto words = std::to_array<std::string_view>({
    "apiVersion: v1\n",
    "kind: Service\n",
    "kind: List\nitems:\n- ",
    "kind: Node\n",
    "metadata: {name: a}\n",
    "spec:\n",
    "ports:\n- ",
    "port: 80\n",
    "\"port\":",
    "\"items\":[",
    "discovery.k8s.io/v1",
    "kubernetes.io/service-name: web",
    "addressType: IPv6",
    "None",
    "fd00::1",
    "::ffff:10.0.0.1",
    "10.0.0.1/33",
    "4294967296",
    "-1",
    "0x",
    "1e999",
    "99999999999999999999",
    "null",
    "~",
    "true",
    "\n---\n",
    "\n...\n",
    "&a ",
    "*a",
    "<<: *a\n",
    "!!int ",
    "!!bool ",
    "!<tag:yaml.org,2002:null> ",
    "? ",
    ": ",
    "- ",
    "|-\n ",
    ">+2\n ",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    "[[[[[[[[",
    "{a: {a: ",
    ", ",
    "#",
    "%YAML 1.2\n",
    "\t",
    "\r\n",
    "\\u0000",
    "\\ud800",
    "\0"sv,
    "\xef\xbb\xbf",
    "\xff",
    "\xc3",
    "\xf0\x9f\x98\x80",
});

class Mutator {
public:
    Mutator(const std::vector<std::string>& corpus, std::uint64_t seed) : corpus_(corpus), random_(seed) {}

    std::string next() {
        auto input = any();
        for (auto steps = 1 + below(6); steps > 0; --steps) step(input);
        if (input.size() > longest_input) input.resize(longest_input);
        return input;
    }

private:
    // Not uniform_int_distribution, whose numbers differ between standard libraries.
    std::size_t below(std::size_t bound) { return bound ? random_() % bound : 0; }
    const std::string& any() { return corpus_[below(corpus_.size())]; }

    void step(std::string& input) {
        auto at = below(input.size() + 1);
        auto length = below(std::min<std::size_t>(input.size() - at, 64) + 1);
        switch (below(7)) {
            case 0:  // a bit flips
                if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
                break;
            case 1:
                if (at < input.size()) input[at] = static_cast<char>(below(256));
                break;
            case 2:
                input.erase(at, length);
                break;
            case 3:  // said again
                input.insert(at, input.substr(at, length));
                break;
            case 4:
                input.insert(at, words[below(words.size())]);
                break;
            case 5:
                input.replace(at, length, words[below(words.size())]);
                break;
            case 6: {  // a piece of another input
                const auto& other = any();
                auto from = below(other.size() + 1);
                input.replace(at, length, other, from, below(256));
                break;
            }
        }
    }

    const std::vector<std::string>& corpus_;
    std::mt19937_64 random_;
};

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t most) {
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > most) return std::nullopt;
    return value;
}

// Files in the order of their names, so that a seed means the same everywhere.
std::vector<std::string> read_corpus(const std::vector<std::string_view>& paths) {
    std::vector<std::filesystem::path> files;
    for (auto path : paths) {
        if (!std::filesystem::is_directory(path))
            files.emplace_back(path);
        else
            for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
                if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    std::vector<std::string> texts;
    for (const auto& file : files) {
        std::ifstream stream(file, std::ios::binary);
        if (!stream)
            throw std::filesystem::filesystem_error("cannot be read", file,
                                                    std::error_code(errno, std::generic_category()));
        texts.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
    }
    return texts;
}

int usage() {
    std::fputs("usage: fuzz_decode [-mutations N] [-seed N] FILE|FOLDER...\n", stderr);
    return 2;
}

}  // namespace

int main(int argc, char** argv) try {
    std::vector<std::string_view> paths;
    std::uint64_t mutations = 0, seed = 1;
    for (int i = 1; i < argc; ++i) {
        std::string_view word = argv[i];
        if (!word.starts_with('-')) {
            paths.push_back(word);
            continue;
        }
        bool count = word == "-mutations";
        if ((!count && word != "-seed") || i + 1 == argc) return usage();
        auto value = number(argv[++i], count ? most_mutations : UINT64_MAX);
        if (!value) return usage();
        (count ? mutations : seed) = *value;
    }
    auto corpus = read_corpus(paths);
    if (corpus.empty()) return usage();
    if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(save_current);
    for (auto signal : {SIGABRT, SIGSEGV, SIGPROF}) {
        if (signal == SIGSEGV && __sanitizer_set_death_callback) continue;  // the sanitizers report it better
        std::signal(signal, on_signal);
    }
    for (const auto& text : corpus) run(text);
    Mutator mutator(corpus, seed);
    for (std::uint64_t i = 0; i < mutations; ++i) run(mutator.next());
    std::printf("%zu files and %llu mutations of them\n", corpus.size(), static_cast<unsigned long long>(mutations));
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "replay: %s\n", error.what());
    return 1;
}
