#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `nsrpd --record` writes in the lab, the golden player tells a Member of today's code again: the same answers."""
import json
import os
import subprocess

from harness import GATEWAYS, LabTest, main
from nsrplab.build import program


class Record(LabTest):
    ha_switch = True

    def setUp(self):
        super().setUp()
        self.files = {name: os.path.join(gateway.folder, "record.jsonl") for name, gateway in self.lab.gateways.items()}
        for name, gateway in self.lab.gateways.items():
            gateway.options = ["--record", self.files[name]]

    def test_a_recording_plays_back_equal(self):
        master = self.start_pair()
        other = self.lab.other(master)
        self.lab.cut("ha1", silent=True)
        self.wait_control("ha2")
        self.lab.heal("ha1")
        self.wait_control("ha1")
        self.command(master, "set nsrp vsd-group id 0 priority 40")
        self.command(master, "set nsrp auth password 725dCaIgDL")
        self.command(other, "set nsrp auth password 725dCaIgDL")
        self.command(master, "exec nsrp probe ha1 count 1")
        self.make_master(other)
        self.lab.wait_pair()
        self.lab[other].cli("exec nsrp vsd-group id 7 mode master")  # refused: an answer as well
        self.lab[other].terminate()
        self.lab.wait_master(master)
        self.lab[master].terminate()
        for name in GATEWAYS:
            with open(self.files[name], encoding="utf-8") as lines:
                text = lines.read()
            self.assertNotIn("725dCaIgDL", text)
            answers = [json.loads(line) for line in text.splitlines()[1:]]
            self.assertGreater(len(answers), 50)
            played = subprocess.run([program("golden_player"), self.files[name]], capture_output=True, text=True)
            self.assertEqual(played.returncode, 0, played.stdout[-2000:] + played.stderr[-2000:])

    def test_a_device_that_joins_again_begins_another_file(self):
        self.lab["gwA"].start()
        self.lab.wait_master("gwA")
        self.command("gwA", "set nsrp cluster id 0")
        self.command("gwA", "set nsrp cluster id 1")
        self.lab.wait_master("gwA")
        self.lab["gwA"].terminate()
        for path in (self.files["gwA"], self.files["gwA"] + ".2"):
            with open(path, encoding="utf-8") as lines:
                self.assertIn("unit", lines.readline())


if __name__ == "__main__":
    main()
