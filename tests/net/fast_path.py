#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`set nsrp fast-path`: translated connections pass the master in XDP, and nothing else about them changes."""
from harness import GATEWAYS, LabTest, Load, main, wait_until
from nsrplab import TRUST
from nsrplab.topology import ECHO_PORT


def forbidden(what):
    return f"table inet forbidden {{ chain f {{ type filter hook forward priority 0; {what} drop; }}; }}"


class FastPath(LabTest):
    settings = {"priority": {"gwA": 50, "gwB": 100}, "extra": {name: ["set nsrp fast-path"] for name in GATEWAYS}}

    def setUp(self):
        super().setUp()
        self.master = self.start_pair()
        self.backup = self.lab.other(self.master)

    def start_fast(self, *loads):
        """Traffic, until some of it goes fast."""
        self.start_traffic(*loads)
        self.wait_fast(self.master)

    def wait_fast(self, gateway, packets=1000, counter="fast_forwarded"):
        """Until that many more packets have gone fast."""
        before = self.counter(gateway, counter)
        wait_until(lambda: self.counter(gateway, counter) >= before + packets, 60, f"{packets} more {counter}",
                   instead=lambda: {name: value for name, value in self.lab[gateway].ask("get nsrp counters").items()
                                    if name.startswith("fast")})

    def last_answers(self, client):
        """Of the last second's UDP packets, how many came back."""
        lines = client.lines("progress")
        return lines[-1]["udp_received"] if lines else None

    def test_connections_go_fast_and_conntrack_knows_them(self):
        self.assertEqual(self.lab[self.master].status()["fast_path"], {"tcp": True, "udp": True})
        self.start_fast(Load(20, udp_rate=500, message_interval_ms=20),
                        Load(20, udp_rate=500, message_interval_ms=20, v6=True),
                        Load(20, udp_rate=500, message_interval_ms=20, direction="in"))
        self.wait_fast(self.master, 5000)
        table = self.lab.network.run(self.master, "conntrack", "-L", "-p", "tcp").stdout
        self.assertGreaterEqual(table.count("ESTABLISHED"), 40)
        results = self.stop_traffic()
        for result in results:
            # On a busy machine a few are late at the end.
            self.assertLessEqual(result["udp"]["lost"], result["udp"]["sent"] // 50)
        wait_until(lambda: self.counter(self.master, "fast_revoked") >= 40, 20, "permits taken back at the end")

    def set_mark(self, mark):
        self.lab.network.run(self.master, "conntrack", "-U", "-f", "ipv6", "-p", "udp", "--mark", mark)

    def wait_silenced(self):
        wait_until(lambda: self.last_answers(self.clients[0]) == 0, 30, "an end of the answers")

    def test_a_rule_that_forbids_a_session_ends_it(self):
        self.start_fast(Load(0, udp_rate=500))
        self.lab.network.run(self.master, "nft", forbidden(f"udp dport {ECHO_PORT}"))
        self.wait_silenced()
        self.lab.network.run(self.master, "nft", "delete", "table", "inet", "forbidden")
        self.wait_flowing()

    def test_a_session_that_an_old_rule_comes_to_forbid_ends_too(self):
        """No event tells of this: the permits run out."""
        self.lab.network.run(self.master, "nft", forbidden("ct mark 7"))
        self.start_fast(Load(0, udp_rate=500, v6=True))  # conntrack(8) cannot change a translated session
        self.set_mark(7)
        self.wait_silenced()
        self.set_mark(0)
        self.wait_flowing()

    def test_a_takeover_breaks_nothing(self):
        self.start_fast(Load(50, udp_rate=500, message_interval_ms=20))
        self.wait_mirrored(self.master, 51)
        self.lab[self.master].kill9()
        self.lab.wait_master(self.backup)
        self.wait_flowing()
        self.wait_fast(self.backup)
        self.lab[self.master].start()
        self.lab.wait_pair()
        self.make_master(self.master)
        self.wait_flowing()
        self.wait_fast(self.master)
        self.assert_outage_ended(self.stop_traffic())

    def test_what_crosses_the_data_link_goes_fast_on_the_other_side(self):
        vmac = self.virtual_mac(TRUST.vsi())
        self.lab.network.run("trust", "bridge", "fdb", "replace", vmac, "dev", self.backup, "master", "static", "sticky")
        self.start_fast(Load(20, udp_rate=500, message_interval_ms=20))
        self.wait_fast(self.master, 1000, "fast_crossed")
        self.stop_traffic()
        self.assertEqual(self.counter(self.backup, "fast_forwarded"), 0)

    def test_switched_off_it_forwards_nothing_more(self):
        self.start_fast(Load(20, udp_rate=500))
        self.command(self.master, "unset nsrp fast-path")
        self.assertEqual(self.lab[self.master].status()["fast_path"], {"tcp": False, "udp": False})
        before = self.counter(self.master, "fast_forwarded")
        self.wait_flowing()
        self.assertEqual(self.counter(self.master, "fast_forwarded"), before)
        self.command(self.master, "set nsrp fast-path")
        self.wait_fast(self.master)
        self.stop_traffic()


if __name__ == "__main__":
    main()
