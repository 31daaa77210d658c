#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two VSDs with a master each, and connections that go out by one gateway and come back by the other (manual ch. 1,
figure 11): whichever gateway dies, and in whichever order, the other one has them all."""
from harness import Load, main
from two_vsds import TwoVsdsTest, wait_until


class RtoAsymmetric(TwoVsdsTest):
    def wait_both_masters(self):
        wait_until(lambda: self.lab.masters(0) == ["gwA"] and self.lab.masters(1) == ["gwB"], 40,
                   "gwA master of VSD 0 and gwB of VSD 1", instead=self.lab.describe)

    def take_back(self, gateway, vsd):
        """A gateway that has come back gets its VSD again once it has everything."""
        self.lab[gateway].start()
        wait_until(self.lab[gateway].in_sync, 40, f"{gateway} in sync")
        if self.lab.masters(vsd) != [gateway]:
            self.command(gateway, f"exec nsrp vsd-group id {vsd} mode master")
        self.wait_both_masters()

    def assert_lives(self, v6, direction, connections=20):
        # TCP: an answer that comes to the other gateway before its session does is dropped there and sent again.
        self.start_traffic(Load(connections, udp_rate=0, v6=v6, direction=direction))
        for gateway, vsd in (("gwA", 0), ("gwB", 1)):
            self.wait_equal_tables()
            self.lab[gateway].kill9()
            other = self.lab.other(gateway)
            wait_until(lambda v=vsd, o=other: self.lab.masters(v) == [o], 30, f"{other} master of VSD {vsd} too")
            self.wait_flowing()
            self.take_back(gateway, vsd)
            self.wait_flowing()
        self.wait_equal_tables()
        self.stop_traffic()  # nothing broke
        for name in ("gwA", "gwB"):
            self.assertGreater(self.counter(name, "dl_rx") + self.counter(name, "rx_to_peer_session"), 0,
                               f"nothing went over the data link by way of {name}")

    def test_in_by_one_gateway_and_answered_by_way_of_the_other(self):
        self.send_client_through(1)
        self.assert_lives(v6=False, direction="in")

    def test_out_by_one_gateway_and_back_by_the_other_over_ipv6(self):
        self.send_server_through(1, True)
        self.assert_lives(v6=True, direction="out")


if __name__ == "__main__":
    main()
