// SPDX-License-Identifier: Apache-2.0
// The BPF objects. bpftool's skeletons speak of our ABI's structs without their namespace.
#pragma once

#include "maps/abi.h"

using weir::abi::address;
using weir::abi::address_range;
using weir::abi::datapath_config;

#include "sock.skel.h"
#include "sweep.skel.h"
#include "tc.skel.h"
#include "xdp.skel.h"
