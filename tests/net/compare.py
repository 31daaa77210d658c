#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The judge of all tests of the mirror: two conntrack tables are compared entry by entry, and what differs is named."""
from harness import GATEWAYS, LabTest, main


class Compare(LabTest):
    """No daemon runs: the sessions are made by hand."""

    def add(self, gateway, port, *more, state="ESTABLISHED", nat="10.2.0.1", status="SEEN_REPLY,ASSURED"):
        self.lab.network.run(gateway, "conntrack", "-I", "-p", "tcp", "-s", "10.1.0.100", "-d", "10.2.0.100",
                             "--sport", str(port), "--dport", "80", "--state", state, "-t", "600", "-u", status,
                             "--src-nat", nat, *more)

    def compared(self):
        return self.lab.compare_sessions()

    def test_equal_tables_are_equal(self):
        self.assertTrue(self.compared().equal)
        for number, gateway in enumerate(GATEWAYS):
            for port in (1000, 1001, 1002):
                self.add(gateway, port, "-t", str(600 + number))  # timeouts differ by nature
        self.assertEqual(self.compared()[:5], (3, 3, 0, 0, 0))

    def test_sessions_of_the_gateways_themselves_are_left_out(self):
        self.lab.network.run("gwA", "conntrack", "-I", "-p", "udp", "-s", "10.1.0.2", "-d", "10.1.0.100", "--sport", "1",
                             "--dport", "2", "-t", "600", "-u", "SEEN_REPLY")
        self.assertEqual(self.compared()[:5], (0, 0, 0, 0, 0))

    def test_each_difference_is_named(self):
        for gateway in GATEWAYS:
            self.add(gateway, 1000)
        for gateway, field in zip(GATEWAYS, ("only_first", "only_second")):
            self.add(gateway, 1001)
            found = self.compared()
            self.assertFalse(found.equal)
            self.assertEqual(getattr(found, field), 1)
            self.assertIn("#1001>", found.examples[0])
            self.lab.network.run(gateway, "conntrack", "-D", "-p", "tcp", "--sport", "1001")
            self.assertTrue(self.compared().equal)

    def test_the_same_session_in_another_state(self):
        self.add("gwA", 1000)
        self.add("gwB", 1000, "-m", "7", state="FIN_WAIT", nat="10.2.0.9")
        found = self.compared()
        self.assertEqual(found[:5], (1, 1, 0, 0, 1))
        for word in ("translation", "state", "mark"):
            self.assertIn(word, found.examples[0])
        self.lab.network.run("gwB", "conntrack", "-F")
        self.add("gwB", 1000, "-m", "7")
        self.assertIn("different mark:", self.compared().examples[0])


if __name__ == "__main__":
    main()
