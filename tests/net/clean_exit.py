#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What SIGTERM leaves on a gateway: nothing of ours. Also after a crash in between."""
import json
import os

from harness import GATEWAYS, LabTest, main


class CleanExit(LabTest):
    def snapshot(self, name):
        """Everything nsrpd changes on a box, as text."""
        links = json.loads(self.lab.network.run(name, "ip", "-j", "-d", "link").stdout)
        facts = {link["ifname"]: (link.get("xdp"), link.get("promiscuity"), link["address"]) for link in links}
        addresses = sorted(line.split(" valid_lft")[0].split(maxsplit=1)[1]
                           for line in self.lab[name].ip("-o", "addr").splitlines() if " fe80:" not in line)
        sysctls = self.lab.network.run(name, "sysctl", "-a", "--pattern", r"net\.ipv4\.conf\.eth.*(arp|rp_filter|promote)")
        return {"links": facts, "addresses": addresses, "sysctls": sysctls.stdout,
                "qdiscs": self.lab.network.run(name, "tc", "qdisc").stdout,
                "rules": self.lab[name].ip("rule"), "virtual_macs": self.virtual_macs(name),
                "pinned": os.path.exists(self.lab.bpf_dir(name)) and sorted(os.listdir(self.lab.bpf_dir(name)))}

    def virtual_macs(self, name):
        """Those the interfaces let in. The kernel's own multicast entries come and go."""
        return [l for l in self.lab.network.run(name, "bridge", "fdb").stdout.splitlines() if l.startswith("02:4e:53")]

    def test_sigterm_leaves_nothing(self):
        before = {name: self.snapshot(name) for name in GATEWAYS}
        self.start_pair()
        for name in GATEWAYS:
            self.assertNotEqual(self.snapshot(name), before[name])
            self.assertEqual(self.lab[name].terminate(), 0)
        for name in GATEWAYS:
            self.assertEqual(self.snapshot(name), before[name])

    def test_nor_does_it_after_a_crash(self):
        before = {name: self.snapshot(name) for name in GATEWAYS}
        self.start_pair()
        for name in GATEWAYS:
            self.lab[name].kill9()
            self.assertTrue(os.path.isdir(self.lab.bpf_dir(name)), "the data path outlives a crash")
            self.lab[name].start()
        self.lab.wait_pair()
        for name in GATEWAYS:
            self.assertEqual(self.lab[name].terminate(), 0)
            after = self.snapshot(name)
            del after["sysctls"], before[name]["sysctls"]  # what they were before the crash, nobody knows any more
            self.assertEqual(after, before[name])


if __name__ == "__main__":
    main()
