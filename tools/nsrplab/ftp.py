# SPDX-License-Identifier: Apache-2.0
"""FTP through the gateways: a server on one side, a client on the other, and conntrack's helper on each gateway."""
import os
import sys

from .conversation import Conversation, assign_helper
from .system import Process, wait_until
from .topology import UNTRUST

PORT = 21
HERE = os.path.dirname(os.path.abspath(__file__))


def enable_helper(network, gateway):
    assign_helper(network, gateway, "ftp", "tcp", PORT)


class FtpServer:
    def __init__(self, network, v6=False):
        self.process = Process.spawn(network.inside("server") + [
            sys.executable, "-B", os.path.join(HERE, "ftp_server.py"), UNTRUST.host(v6), PORT])
        wait_until(lambda: f":{PORT} " in network.run("server", "ss", "-Hltn").stdout, 10, "the FTP server")


class FtpClient(Conversation):
    def __init__(self, network, v6=False):
        super().__init__(network, "client", [os.path.join(HERE, "ftp_client.py"), UNTRUST.host(v6), str(PORT)],
                         "connected")
