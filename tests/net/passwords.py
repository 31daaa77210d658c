#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pair with passwords: sessions survive as without, and passwords change without an outage (manual ch. 1, "NSRP
Cluster Authentication and Encryption")."""
from harness import GATEWAYS, LabTest, Load, main, wait_until

RTO_PORT = 4778
TLS_HANDSHAKE = 0x16


def passwords(auth="", encrypt=""):
    return [f"set nsrp {kind} password {word}" for kind, word in (("auth", auth), ("encrypt", encrypt)) if word]


class Protected(LabTest):
    settings = {"priority": {"gwA": 50, "gwB": 100}, "extra": passwords("Kjw82hdKq", "9slKcm2w")}

    def test_connections_survive_the_master(self):
        self.kill_both_ways(Load(50, udp_rate=500))

    def test_the_rto_channel_is_tls_and_moves_to_the_other_link(self):
        capture = self.lab.capture("gwB", "ha1", f"tcp port {RTO_PORT}", "in", 2000)
        master = self.start_pair()
        self.start_traffic(Load(20, udp_rate=100))
        self.wait_mirrored(master, 20)
        payloads = [self.tcp_payload(frame.data) for frame in capture.stop()]
        begun = [p for p in payloads if len(p) > 0]
        self.assertTrue(begun, "nothing was said on the RTO channel")
        self.assertEqual(begun[0][0], TLS_HANDSHAKE)
        for name in GATEWAYS:
            self.assertIn("protection=tls", self.lab[name].log_tail(200))
        self.lab.cut("ha1")
        wait_until(lambda: all("interface=ha2 protection=tls" in self.lab[g].log_tail(200) for g in GATEWAYS), 30,
                   "the channel on the other link")
        self.assertEqual(self.lab.wait_pair(), master)
        self.wait_mirrored(master, 20)
        self.wait_flowing()
        self.stop_traffic()

    @staticmethod
    def tcp_payload(frame):
        return frame[14 + 40 + (frame[14 + 40 + 12] >> 4) * 4:]


class Changing(LabTest):
    settings = {"priority": {"gwA": 50, "gwB": 100}}

    def test_passwords_are_set_changed_and_taken_away_one_after_the_other(self):
        master = self.start_pair()
        self.start_traffic(Load(10, udp_rate=100))
        for words, protection in ((["set nsrp auth password first"], "tls"),
                                  (["set nsrp encrypt password second"], "tls"),
                                  (["set nsrp auth password third"], "tls"),
                                  (["unset nsrp auth password", "unset nsrp encrypt password"], "none")):
            with self.subTest(words=words):
                for name in GATEWAYS:
                    for each in words:
                        self.command(name, each)
                    self.assert_master_stays(master, 1)
                wait_until(lambda: not any(self.lab[g].status()["key_change"] for g in GATEWAYS), 20,
                           "both with the new password only")
                wait_until(lambda: all(f"protection={protection}" in self.channels(g)[-1] for g in GATEWAYS), 20,
                           "the RTO channel with the new password",
                           instead=lambda: [self.channels(g) for g in GATEWAYS])
                self.assertEqual(self.lab.wait_pair(), master)
        for name in GATEWAYS:
            self.assertEqual(self.events(name, 211), [], "a peer was declared dead")
            self.assertEqual(len(self.events(name, 210)), 1)
            dropped = self.lab[name].status()["frames"]["dropped"]
            self.assertEqual([dropped[c] for c in ("bad tag", "unprotected", "protected", "replay")], [0, 0, 0, 0])
        self.stop_traffic()

    def channels(self, gateway):
        return [line for line in self.lab[gateway].log_tail(300).splitlines() if "channel=" in line]


if __name__ == "__main__":
    main()
