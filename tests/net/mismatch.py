#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Devices on one HA link that do not understand each other: one event each, and words in `get nsrp`, until it is put
right."""
from harness import GATEWAYS, LabTest, Load, main, wait_until

CONFIG_DIFFERS, PROBLEM, OVER = 222, 225, 226
CONNECTIONS = 10

# Version 9 of our frames, from a device that has nothing else to say.
STRANGER = """
import socket, time
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind(("gwA-ha1", 0))
frame = b"\\xff" * 6 + bytes.fromhex("02e000000009") + b"\\x88\\xb5NSRP\\x09\\x01\\x01\\x00"
for _ in range(20):
    link.send(frame + bytes(60))
    time.sleep(0.1)
"""


class Mismatch(LabTest):
    ha_switch = True

    def add(self, gateway, *commands):
        with open(self.lab[gateway].config_file, "a", encoding="utf-8") as config:
            config.write("\n".join(commands) + "\n")

    def problems(self, gateway):
        return [p["text"] for p in self.lab[gateway].status()["problems"]]

    def wait_problem(self, gateway, words):
        """Until the gateway tells of it, and tells nothing else."""
        wait_until(lambda: any(words in p for p in self.problems(gateway)), 15, f"{words!r} on {gateway}",
                   instead=lambda: self.problems(gateway))
        told = self.events(gateway, PROBLEM)
        self.assertEqual(len(told), 1, told)
        self.assertIn(words, told[0])
        shown = " ".join(self.command(gateway, "get nsrp").split())
        self.assertIn("problem: ", shown)
        self.assertIn(words, shown)

    def wait_understanding(self):
        self.lab.wait_pair()
        for gateway in GATEWAYS:
            wait_until(lambda g=gateway: not self.problems(g), 30, f"no problem on {gateway}",
                       instead=lambda g=gateway: self.problems(g))
            self.assertEqual(len(self.events(gateway, OVER)), 1)

    def test_different_passwords(self):
        self.add("gwA", "set nsrp auth password 725dCaIgDL")
        self.add("gwB", "set nsrp auth password another")
        self.lab.start_gateways()
        for gateway in GATEWAYS:
            self.wait_problem(gateway, "uses another password")
        self.command("gwB", "set nsrp auth password 725dCaIgDL")
        self.wait_understanding()
        self.assertEqual(self.lab["gwA"].status()["protection"], "authenticated")

    def test_a_password_on_one_side_only(self):
        self.add("gwA", "set nsrp encrypt password WiJoaw4177")
        self.lab.start_gateways()
        self.wait_problem("gwA", "uses no password; this one does")
        self.wait_problem("gwB", "uses a password; this one does not")
        self.command("gwB", "set nsrp encrypt password WiJoaw4177")
        self.wait_understanding()
        self.assertEqual(self.lab["gwB"].status()["protection"], "encrypted")

    def test_another_cluster(self):
        self.add("gwB", "set nsrp cluster id 2")
        self.lab.start_gateways()
        self.wait_problem("gwA", "is in cluster 2; this one in cluster 1")
        self.wait_problem("gwB", "is in cluster 1; this one in cluster 2")
        self.command("gwB", "set nsrp cluster id 1")
        self.wait_understanding()

    def test_one_unit_id_twice(self):
        mac = self.lab["gwA"].ip("-br", "link", "show", "eth1").split()[2]
        self.lab["gwB"].ip("link", "set", "eth1", "address", mac)
        self.lab.start_gateways()
        units = {gateway.status()["unit_id"] for gateway in self.lab.gateways.values()}
        self.assertEqual(len(units), 1)
        for gateway in GATEWAYS:
            self.wait_problem(gateway, "has the unit id of this one")

    def test_another_configuration_is_told_of_and_does_not_stop_the_mirror(self):
        master = self.start_pair()
        backup = self.lab.other(master)
        route = "vrouter trust-vr route 198.51.100.0/24 interface eth2"
        self.command(backup, f"set {route} gateway 10.2.0.100")
        wait_until(lambda: self.events(master, CONFIG_DIFFERS), 15, "the difference told of")
        self.assertTrue(self.lab[backup].in_sync())
        self.start_traffic(Load(CONNECTIONS, udp_rate=0))
        self.wait_mirrored(master, CONNECTIONS)
        self.stop_traffic()

    def test_another_version(self):
        master = self.start_pair()
        self.lab.network.run("ha", "python3", "-c", STRANGER)
        self.wait_problem("gwA", "speaks version 9 of the protocol")
        self.assertGreaterEqual(self.lab["gwA"].status()["frames"]["dropped"]["wrong version"], 10)
        self.assert_master_stays(master, 0.5)


if __name__ == "__main__":
    main()
