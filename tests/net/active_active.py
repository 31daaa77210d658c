#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two VSDs, each mastered by one gateway: every packet is processed at its VSD's master, wherever it comes in."""
from harness import Load, main
from nsrplab import TRUST
from two_vsds import BEYOND, GATEWAYS, TwoVsdsTest, default_route, everywhere, second, wait_until

# A router that balances by packet, one to gwA, two to gwB: in twos every connection would begin at the same gateway.
ROUND_ROBIN = """
table inet round_robin {
  chain output {
    type route hook output priority mangle;
    ip daddr 10.2.0.0/24 meta mark set numgen inc mod 3 map { 0 : 1, 1 : 2, 2 : 2 }
    ip6 daddr fd00:2::/64 meta mark set numgen inc mod 3 map { 0 : 1, 1 : 2, 2 : 2 }
  }
}
"""


class ActiveActive(TwoVsdsTest):
    def setUp(self):
        super().setUp()
        for v6, address in BEYOND.items():
            self.ip("server", "addr", "add", f"{address}/{128 if v6 else 32}", "dev", "lo")

    def assert_pings(self, address):
        """All of five echo requests from the client are answered; the first may wait for neighbours."""
        def answered():
            out = self.lab.network.run("client", "ping", "-q", "-c", "5", "-i", "0.1", "-W", "1", address, check=False)
            return " 5 received" in out.stdout
        wait_until(answered, 20, f"5 of 5 answers from {address}")

    # Manual ch. 1, figure 8

    def test_a_default_route_of_vsd_0_only_leads_packets_of_vsd_1_over_the_data_link(self):
        self.send_client_through(1)
        for v6, address in BEYOND.items():
            with self.subTest(address=address):
                self.count_from_here()
                capture = self.lab.capture("untrust", "gwB", f"{'icmp6' if v6 else 'icmp'} and host {address}")
                self.assert_pings(address)
                self.assertEqual(capture.stop(), [], "gwB sent them out itself")
                self.assertGreaterEqual(self.gained("gwB", "rx_to_peer_egress"), 1)
                self.assertGreaterEqual(self.gained("gwB", "rx_to_peer_egress")
                                        + self.gained("gwB", "rx_to_peer_session"), 5)
                self.assertGreaterEqual(self.gained("gwA", "dl_rx"), 5)

    def test_with_a_default_route_each_both_send_for_themselves(self):
        for name in GATEWAYS:
            for line in default_route("eth2:1"):
                self.command(name, line)
        self.send_client_through(1)
        for v6, address in BEYOND.items():
            with self.subTest(address=address):
                # IPv6 is not translated: the way back is the server's choice.
                self.send_server_through(1, v6)
                self.assert_pings(address)
                self.count_from_here()
                self.assert_pings(address)
                self.assertEqual([self.gained("gwB", f"rx_to_peer_{why}") for why in ("egress", "session")], [0, 0])
                self.assertGreaterEqual(self.gained("gwB", "rx_own"), 10)

    # Manual ch. 1, data messages: round-robin, and figure 11

    def balance_by_packet(self):
        for number, table in ((0, "101"), (1, "102")):
            for v6 in (False, True):
                gateway = second(TRUST, v6) if number == 1 else TRUST.vsi(v6)
                self.ip("client", "route", "add", everywhere(v6), "via", gateway, "dev", "eth0", "table", table)
                self.lab.network.run("client", "ip", "-6" if v6 else "-4", "rule", "add", "fwmark", str(number + 1),
                                     "lookup", table)
        self.lab.network.run("client", "nft", "-f", "-", text_input=ROUND_ROBIN)

    def test_no_connection_breaks_when_packets_go_to_both_gateways_in_turn(self):
        self.balance_by_packet()
        self.start_traffic(Load(20, udp_rate=0), Load(20, udp_rate=0, v6=True))
        self.wait_flowing()
        self.stop_traffic()  # nothing broke
        for name in GATEWAYS:
            self.assertGreater(self.gained(name, "rx_to_peer_session"), 50)
            self.assertGreater(self.gained(name, "dl_rx"), 50)

    def test_answers_that_come_to_the_other_gateway_find_their_session(self):
        """The letter h: in through gwA, which translates to the client; the client answers by way of gwB."""
        self.send_client_through(1)
        # Not UDP: an answer that overtakes the session's mirror begins another session at gwB.
        self.start_traffic(Load(20, udp_rate=0, direction="in"))
        self.wait_flowing()
        self.stop_traffic()
        self.assertGreater(self.gained("gwB", "rx_to_peer_session"), 50)
        self.assertGreater(self.gained("gwA", "dl_rx"), 50)

    def test_answers_over_ipv6_find_their_session_too(self):
        self.send_server_through(1, True)
        self.start_traffic(Load(20, udp_rate=100, v6=True))
        self.wait_flowing()
        self.stop_traffic()
        self.assertGreater(self.gained("gwB", "rx_to_peer_session"), 50)
        self.assertGreater(self.gained("gwA", "dl_rx"), 50)


if __name__ == "__main__":
    main()
