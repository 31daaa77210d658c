#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands that are refused: exit 1, one sentence that names the word and what is allowed, and nothing changed."""
import os
import socket

from harness import LabTest, main, wait_until

# What is typed, and what the sentence must hold.
REFUSED = (
    ("set nsrp clutser id 1", ('"clutser"', "allowed", "cluster")),  # an unknown word
    ("set nsrp vsd-group id 0 p 50", ('"p"', "ambiguous", "preempt", "priority")),
    ("set nsrp cluster id 9", ('"9"', "out of range", "0-7")),
    ("set nsrp vsd-group id 0 priority zero", ('"zero"', "not a number", "1-254")),
    ("set nsrp vsd-group hb-threshold 2", ('"2"', "out of range")),
    ("set interface eth9 zone trust", ('"eth9"', "no interface", "eth1")),  # a missing interface
    ("set interface eth2 ip fd00:1::1/64", ("fd00:1::1", "eth1")),  # a duplicate address
    ("set interface eth2:1 ip 10.1.9.1/24", ("eth2:1", "VSD group 1")),  # a VSI of no group
    ("set interface eth1 ip 10.1.0.300/24", ('"10.1.0.300',)),
    ("set interface eth1 manage-ip 10.9.0.1", ("10.9.0.1", "eth1")),  # outside the interface's subnet
    ("set nsrp vsd-group id 0 priority", ("incomplete", "priority")),
    ("set nsrp cluster id 1 please", ('"please"',)),  # a word too many
    ("exec nsrp vsd-group id 0 mode boss", ('"boss"', "master", "backup")),
    ("get nsrp vsd-group id 5", ("5",)),  # a group that is not there
    ("unset nsrp monitor interface eth1", ("eth1",)),  # something that was never set
    (["set", "nsrp", "cluster", "name", 'a"b'], ("quote",)),
    ("set nsrp ha-link probe interval 0", ('"0"', "out of range", "1-255")),
    ("set nsrp interface ha1", ('"ha1"', "zone ha", "security zone")),
    ("set nsrp interface eth9", ('"eth9"', "no security zone")),
    ("set nsrp secondary-path eth9", ('"eth9"', "no interface", "eth1")),
    ("set nsrp secondary-path ha2", ('"ha2"', "zone ha", "security zone")),
    ("exec nsrp probe eth1", ('"eth1"', "no HA link", "ha1, ha2")),
    ("exec nsrp probe ha1 00e02000080", ("00e02000080",)),  # the manual's own misprint
    ("set nsrp auth pasword secret", ('"set nsrp auth"', "password")),
)


class BadCommands(LabTest):
    def setUp(self):
        super().setUp()
        self.gateway = self.lab["gwA"]
        self.gateway.start()
        self.lab.wait_master("gwA")

    def test_each_is_refused_with_a_sentence_and_changes_nothing(self):
        before = self.gateway.ask("get config")
        for words, expected in REFUSED:
            with self.subTest(words=words):
                done = self.gateway.cli(words)
                said = done.stderr.strip()
                print(f"    {words if isinstance(words, str) else ' '.join(words)}\n      {said}")
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stdout, "")
                self.assertEqual(len(said.splitlines()), 1, said)
                for part in expected:
                    self.assertIn(part, said)
                self.assertEqual(self.gateway.ask("get config"), before)
        self.assertEqual(self.lab.masters(), ["gwA"])

    def test_a_good_command_is_taken(self):
        done = self.gateway.cli("set ns vsd-g id 0 prio 60")  # unique prefixes are enough
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("set nsrp vsd-group id 0 priority 60", self.gateway.ask("get config")["config"])
        wait_until(lambda: self.gateway.vsd()["priority"] == 60, 5, "the new priority in force")

    def test_without_a_daemon_exit_is_2(self):
        self.gateway.terminate()
        done = self.gateway.cli("get nsrp")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    def test_garbage_on_the_socket_does_no_harm(self):
        path = os.path.join(self.gateway.run_dir, "nsrpd.sock")
        for garbage in (b"\n", b"{}\n", b"[1,2]\n", b'{"words": 7}\n', b"\xff\xfe\x00\n", b'{"words": ["get"', b"x" * 200000):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(5)
                client.connect(path)
                try:
                    client.sendall(garbage)
                    client.shutdown(socket.SHUT_WR)
                    client.recv(4096)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it may hang up on us
            self.assertIsNotNone(self.gateway.status(), garbage[:20])


if __name__ == "__main__":
    main()
