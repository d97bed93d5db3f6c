// SPDX-License-Identifier: Apache-2.0
// libbpf speaks through one process-wide print function; while a LibbpfLog lives, what it says is kept for the error
// message instead of being printed. Not for use in two threads at once.
#pragma once

#include <string>

namespace weir::datapath {

class LibbpfLog {
public:
    LibbpfLog();
    ~LibbpfLog();
    LibbpfLog(const LibbpfLog&) = delete;
    LibbpfLog& operator=(const LibbpfLog&) = delete;

    // The last lines, where the verifier names the instruction that it refused.
    std::string tail() const;
    void append(const char* text) { text_ += text; }

private:
    std::string text_;
};

}  // namespace weir::datapath
