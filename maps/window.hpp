// SPDX-License-Identifier: Apache-2.0
// A part of an array's values in the memory of this process. Only maps made with BPF_F_MMAPABLE have such; a write
// costs what the memory costs, where an element of a batch costs the kernel a quarter of a microsecond.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <system_error>

namespace weir::maps {

class Window {
public:
    Window() = default;
    // Octets [offset, offset + size) of the values, which must be within the map.
    static std::expected<Window, std::error_code> open(int map_fd, std::uint64_t offset, std::uint64_t size);

    Window(Window&& other) noexcept;
    Window& operator=(Window&& other) noexcept;
    ~Window();

    bool holds(std::uint64_t offset, std::uint64_t size) const;
    // Returns a part, which the window must hold.
    std::span<std::byte> part(std::uint64_t offset, std::uint64_t size) const;

private:
    Window(std::span<std::byte> memory, std::uint64_t offset) : memory_(memory), offset_(offset) {}

    std::span<std::byte> memory_;  // whole pages
    std::uint64_t offset_ = 0;     // of the first octet
};

}  // namespace weir::maps
