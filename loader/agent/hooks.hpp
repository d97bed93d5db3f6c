// SPDX-License-Identifier: Apache-2.0
// The seam to the kernel's hooks: where programs are attached. The tests of Attachments put a fake here.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "loader/datapath/attach.hpp"
#include "loader/datapath/cgroup.hpp"
#include "loader/net/links.hpp"

namespace weir::agent {

class Hooks {
public:
    virtual ~Hooks() = default;
    // These three do what datapath::Attacher does.
    virtual std::expected<datapath::Attached, std::string> attach(const net::Link& link, bool is_uplink,
                                                                  std::vector<std::string>& notes) = 0;
    virtual void detach(unsigned ifindex) = 0;
    virtual void drop_others(const std::vector<unsigned>& in_use) = 0;
    // Attaches the socket hooks, and returns the cgroup whose processes they see.
    virtual std::expected<datapath::Cgroup, std::string> attach_sockets() = 0;
    virtual void remove_sockets() = 0;
};

class KernelHooks : public Hooks {
public:
    KernelHooks(const datapath::Settings& settings, const datapath::Programs& programs)
        : settings_(settings), programs_(programs), attacher_(settings, programs) {}

    std::expected<datapath::Attached, std::string> attach(const net::Link& link, bool is_uplink,
                                                          std::vector<std::string>& notes) override;
    void detach(unsigned ifindex) override;
    void drop_others(const std::vector<unsigned>& in_use) override;
    std::expected<datapath::Cgroup, std::string> attach_sockets() override;
    void remove_sockets() override;

private:
    const datapath::Settings& settings_;
    const datapath::Programs& programs_;
    datapath::Attacher attacher_;
};

}  // namespace weir::agent
