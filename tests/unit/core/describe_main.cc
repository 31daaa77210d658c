// SPDX-License-Identifier: Apache-2.0
// Prints docs/states.md.
#include <iostream>

#include "core/transitions.h"

int main() {
  std::cout << nsrp::core::describe_states();
}
