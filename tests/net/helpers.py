#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Connections that conntrack's helpers have announced and that have not begun yet live through takeovers, both ways: the
data connection of active FTP through NAT and of FTP by IPv6, and the media of a SIP call through NAT."""
from harness import GATEWAYS, LabTest, main, wait_until
from nsrplab import ftp, sip
from nsrplab.topology import TRUST, UNTRUST


class Helpers(LabTest):
    def expectations(self, gateway):
        """Without their timeouts."""
        lines = [line for family in ("ipv4", "ipv6") for line in self.lab.network.run(
            gateway, "conntrack", "-L", "expect", "-f", family, check=False).stdout.splitlines()]
        return {line.split(None, 1)[1] for line in lines}

    def both_ways(self, announce, use):
        """Something is announced, the master dies, and it is used; then the same the other way round."""
        for _ in range(2):
            master = self.lab.wait_pair()
            other = self.lab.other(master)
            announced = announce()
            wait_until(lambda m=master: self.expectations(m), 10, "an expected connection at the master")
            wait_until(lambda m=master, o=other: self.expectations(o) >= self.expectations(m), 20,
                       "expected connections mirrored", instead=lambda o=other: self.expectations(o))
            self.wait_equal_tables()
            self.lab[master].kill9()
            self.lab.wait_master(other)
            use(announced)
            self.lab[master].start()
        self.lab.wait_pair()
        self.wait_equal_tables()

    def ftp_both_ways(self, mode, v6):
        for name in GATEWAYS:
            ftp.enable_helper(self.lab.network, name)
        self.lab._helper(ftp.FtpServer(self.lab.network, v6))
        self.start_pair()

        def announce():
            client = self.lab._helper(ftp.FtpClient(self.lab.network, v6))
            client.do(mode, "asked")
            return client

        def use(client):
            client.do("fetch 20000", "flowing")
            client.expect("fetched")
            client.do(mode, "asked")  # the control connection lives as well
            client.do("fetch 1000", "flowing")
            client.expect("fetched")
            client.end()
        self.both_ways(announce, use)

    def test_active_ftp_through_nat(self):
        self.ftp_both_ways("active", False)

    def test_ftp_by_ipv6(self):
        self.ftp_both_ways("passive", True)

    def test_the_media_of_a_sip_call(self):
        for name in GATEWAYS:
            sip.enable_helper(self.lab.network, name)
        caller = self.lab._helper(sip.Phone(self.lab.network, "client", TRUST.host()))
        callee = self.lab._helper(sip.Phone(self.lab.network, "server", UNTRUST.host()))
        self.start_pair()

        def announce():
            caller.do(f"invite {UNTRUST.host()}", "called")
            word, address, port = callee.ask("answer").split()
            self.assertEqual(word, "media")
            self.assertNotEqual(address, TRUST.host())  # the helper has translated it
            return address, port

        def use(media):
            def heard():
                callee.do("send " + " ".join(media), "sent")
                return caller.ask("hear") == "heard"
            wait_until(heard, 20, "media")
            self.lab.network.run(self.lab.master(), "conntrack", "-D", "-p", "udp", check=False)  # hung up
        self.both_ways(announce, use)


if __name__ == "__main__":
    main()
