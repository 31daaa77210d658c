#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""More sessions than the mirror can carry at that moment: it falls behind, traffic does not, and in the end both
gateways' tables are equal, as a tool reads them that knows nothing of the mirror.

NSRP_STORM_SESSIONS makes the storms larger than ctest has time for.
"""
import os

from harness import GATEWAYS, LabTest, Load, main, time
from nsrplab.sessions import STORM_PORT, swallow_storm

SESSIONS = int(os.environ.get("NSRP_STORM_SESSIONS", "20000"))
SLOW_SESSIONS = SESSIONS // 4  # a session takes about 100 bytes, and the slow link carries 125 of them in 100 ms
LONGEST_STALL_MS = 4000
OWN_SESSIONS = 20  # at most, of a gateway itself: those of the mirror and of neighbour discovery
PEER_LOST = 211


class RtoOverload(LabTest):
    ha_switch = True  # a link gets slow in its middle, where no gateway sees it
    settings = {"priority": {"gwA": 50, "gwB": 100}, "hb_interval": 500}

    def setUp(self):
        super().setUp()
        swallow_storm(self.lab.network)
        for name in GATEWAYS:
            # Sessions that end by themselves meanwhile would be one more thing that changes.
            self.lab.network.run(name, "sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=600")

    def begin(self):
        master = self.start_pair()
        self.start_traffic(Load(20, udp_rate=200))
        self.wait_mirrored(master, 20)
        return master

    def at(self, gateway):
        """How many sessions a gateway's kernel has; of a storm at full speed some packets never reach it."""
        return int(self.lab.network.run(gateway, "conntrack", "-C").stdout)

    def finish(self, sessions):
        """The tables are equal and hold as many sessions; the traffic beside the storm has not suffered."""
        comparison = self.wait_equal_tables(120)
        print(f"    {comparison.summary()}")
        self.assertGreaterEqual(comparison.first, sessions - OWN_SESSIONS)
        self.wait_flowing()
        for result in self.stop_traffic():
            # Had forwarding waited for the mirror, it would have stood still for as long as the mirror did: eight
            # seconds and more.
            self.assertLess(result["tcp"]["longest_stall_ms"], LONGEST_STALL_MS)

    def assert_nobody_was_taken_for_dead(self):
        for name in GATEWAYS:
            self.assertEqual(self.events(name, PEER_LOST), [])

    def test_a_ring_of_one_page(self):
        for gateway in self.lab.gateways.values():
            gateway.options = ["--event-ring", "4096"]
        master = self.begin()
        # At full speed; the fewer processors there are to spare, the more of it the kernel drops before anybody reads it.
        self.lab.storm(SESSIONS).wait()
        self.assertGreater(self.counter(master, "session_ring_full"), 0, "there was no overload")
        many = self.wait_equal_tables().first
        self.assertGreaterEqual(many, self.at(master) - OWN_SESSIONS)
        # Ends are not lost either.
        ended = self.lab.network.run(master, "conntrack", "-D", "-p", "udp", "--orig-port-dst", str(STORM_PORT))
        self.assertIn("have been deleted", ended.stderr)
        self.assertLess(self.wait_equal_tables().first, many)
        self.assert_nobody_was_taken_for_dead()
        self.finish(0)

    def test_a_link_of_one_megabit(self):
        master = self.begin()
        for port in ("ha1-a", "ha1-b"):
            self.lab.network.run("ha", "tc", "qdisc", "add", "dev", port, "root", "tbf", "rate", "1mbit", "burst", "4kb",
                                 "latency", "50ms")
        self.lab.storm(SLOW_SESSIONS).wait()
        self.assertFalse(self.lab.compare_sessions().equal, "the link was not slow")
        self.finish(self.at(master))
        self.assertEqual(self.lab.master(), master)
        self.assert_nobody_was_taken_for_dead()

    def test_a_receiver_that_stands_still_for_ten_seconds(self):
        master = self.begin()
        receiver = self.lab[self.lab.other(master)]
        receiver.freeze()
        storm = self.lab.storm(SESSIONS, rate=SESSIONS / 8)
        time.sleep(10)
        receiver.thaw()
        storm.wait()
        self.finish(self.at(master))
        self.assertEqual(self.lab.wait_pair(), master)

    def test_a_sender_that_dies_and_comes_back(self):
        self.lab.configure(**{**self.settings, "hb_interval": 1000, "hb_threshold": 8})
        master = self.begin()
        storm = self.lab.storm(SESSIONS, rate=SESSIONS / 6)
        time.sleep(3)
        self.lab[master].kill9()
        self.lab[master].start()
        storm.wait()
        # It was back before its lease ended, and nobody else was master meanwhile.
        self.assertEqual(self.lab.wait_pair(), master)
        self.finish(self.at(master))


if __name__ == "__main__":
    main()
