// SPDX-License-Identifier: Apache-2.0
// Boost.JSON in its header-only form is compiled here, once.
#include <boost/json/src.hpp>
