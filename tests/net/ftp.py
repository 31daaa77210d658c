#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""FTP through the gateways' NAT, with conntrack's helper: transfers live through a takeover."""
from harness import GATEWAYS, LabTest, main
from nsrplab.ftp import FtpClient, FtpServer, enable_helper

FILE_BYTES = 600_000  # more than seven seconds at the server's pace


class Ftp(LabTest):
    def setUp(self):
        super().setUp()
        for name in GATEWAYS:
            enable_helper(self.lab.network, name)
        self.lab._helper(FtpServer(self.lab.network))

    def connect(self, mode):
        client = self.lab._helper(FtpClient(self.lab.network))
        client.do(mode, "asked")
        return client

    def take_over(self):
        """The master dies, the other one takes over and is alone."""
        master = self.lab.master()
        self.lab[master].kill9()
        self.lab.wait_master(self.lab.other(master))
        return master

    def come_back(self, gateway):
        self.lab[gateway].start()
        self.lab.wait_pair()

    def test_a_transfer_under_way(self):
        self.start_pair()
        for _ in range(2):  # A to B, and back
            client = self.connect("passive")
            client.do(f"fetch {FILE_BYTES}", "flowing")
            self.wait_equal_tables()
            gone = self.take_over()
            client.expect("fetched")
            # The control connection lives as well.
            client.do("passive", "asked")
            client.do("fetch 1000", "flowing")
            client.expect("fetched")
            client.end()
            self.come_back(gone)
            self.wait_equal_tables()


if __name__ == "__main__":
    main()
