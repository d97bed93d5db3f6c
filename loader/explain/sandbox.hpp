// SPDX-License-Identifier: Apache-2.0
// A model of a node: a private network namespace in which the kernel's FIB decides as on the node. It has one uplink
// with the node's addresses and a default route, and one interface that leads to the workloads. No host answers at the
// other ends.
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
