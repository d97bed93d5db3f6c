// SPDX-License-Identifier: Apache-2.0
// A node that is not there: a private network namespace in which the kernel's FIB decides as on the node. One uplink
// with the node's addresses and a default route, one interface behind which its workloads are; nobody is at the other
// ends.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "loader/model/address.hpp"

namespace weir::explain {

struct SandboxNode {
    std::vector<model::Address> addresses;  // of the node; the first of each family is the preferred source
    std::vector<model::Address> workloads;  // behind the workload interface
};

struct SandboxDevices {
    unsigned uplink = 0;
    unsigned workload = 0;
};

// Moves the calling thread into a new namespace, which vanishes with it (or with its next move).
std::expected<SandboxDevices, std::string> enter_sandbox(const SandboxNode& node);

}  // namespace weir::explain
