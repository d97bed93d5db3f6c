// SPDX-License-Identifier: Apache-2.0
// No code: the headers that tests share are precompiled with this file.
