// SPDX-License-Identifier: Apache-2.0
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>

#include "namespaces.h"

int main(int argc, char** argv) {
  if (geteuid() != 0) {
    std::fputs("the BPF tests load programs and make network namespaces: run them as root\n", stderr);
    return 1;
  }
  nsrp::test::leave_home_namespace();
  return doctest::Context(argc, argv).run();
}
