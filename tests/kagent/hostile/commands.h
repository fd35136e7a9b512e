// SPDX-License-Identifier: Apache-2.0
// What the program `hostile` can do; see its head.
#pragma once

#include <string>

namespace hostile {

void run_descriptors(const std::string& port);
void run_exchange(const std::string& port);
void run_calls(const std::string& port);
void run_pointers(const std::string& port);
void run_races(const std::string& port);
void run_closed(const std::string& port);

}  // namespace hostile
