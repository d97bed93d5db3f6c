// SPDX-License-Identifier: Apache-2.0
#include "maps/window.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace weir::maps {

std::expected<Window, std::error_code> Window::open(int map_fd, std::uint64_t offset, std::uint64_t size) {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    auto first = offset / page * page, end = (offset + size + page - 1) / page * page;
    void* at = ::mmap(nullptr, end - first, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, static_cast<off_t>(first));
    if (at == MAP_FAILED) return std::unexpected(std::error_code(errno, std::generic_category()));
    return Window({static_cast<std::byte*>(at), end - first}, first);
}

Window::Window(Window&& other) noexcept : memory_(std::exchange(other.memory_, {})), offset_(other.offset_) {}

Window& Window::operator=(Window&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(offset_, other.offset_);
    return *this;
}

Window::~Window() {
    if (!memory_.empty()) ::munmap(memory_.data(), memory_.size());
}

bool Window::holds(std::uint64_t offset, std::uint64_t size) const {
    return offset >= offset_ && offset + size <= offset_ + memory_.size();
}

std::span<std::byte> Window::part(std::uint64_t offset, std::uint64_t size) const {
    return memory_.subspan(offset - offset_, size);
}

}  // namespace weir::maps
