// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "config/language.h"

int main() {
  std::cout << nsrp::config::describe();
}
