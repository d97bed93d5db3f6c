// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/libbpf_log.hpp"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>

namespace weir::datapath {

namespace {

// The only state outside an object in the agent: libbpf's print callback carries no context argument.
LibbpfLog*& current() {
    static LibbpfLog* log = nullptr;
    return log;
}

int collect(libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG || !current()) return 0;
    char line[4096];
    int length = std::vsnprintf(line, sizeof(line), format, arguments);
    current()->append(line);
    return length;
}

}  // namespace

LibbpfLog::LibbpfLog() {
    current() = this;
    libbpf_set_print(collect);
}

LibbpfLog::~LibbpfLog() {
    current() = nullptr;
}

std::string LibbpfLog::tail() const {
    constexpr std::size_t wanted = 2000;
    if (text_.size() <= wanted) return text_;
    auto start = text_.find('\n', text_.size() - wanted);
    return start == std::string::npos ? text_ : text_.substr(start + 1);
}

}  // namespace weir::datapath
