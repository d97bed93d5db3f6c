// SPDX-License-Identifier: Apache-2.0
#include "loader/model/shared_text.hpp"

namespace weir::model {

void SharedText::Shared::free(const Shared* shared) {
    ::operator delete(const_cast<Shared*>(shared));
}

}  // namespace weir::model
