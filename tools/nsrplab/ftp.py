# SPDX-License-Identifier: Apache-2.0
"""FTP through the gateways: a server on one side, a client on the other, and conntrack's helper on each gateway."""
import os
import subprocess
import sys

from .system import LabError, Process, start_time, wait_until
from .topology import UNTRUST

PORT = 21
HELPER = """
table inet lab_helper {
  ct helper ftp {
    type "ftp" protocol tcp
  }
  chain prerouting {
    type filter hook prerouting priority filter;
    tcp dport 21 ct helper set "ftp"
  }
}
"""
HERE = os.path.dirname(os.path.abspath(__file__))


def enable_helper(network, gateway):
    network.run(gateway, "nft", "-f", "-", text_input=HELPER)


class FtpServer:
    def __init__(self, network, v6=False):
        self.process = Process.spawn(network.inside("server") + [
            sys.executable, "-B", os.path.join(HERE, "ftp_server.py"), UNTRUST.host(v6), PORT])
        wait_until(lambda: f":{PORT} " in network.run("server", "ss", "-Hltn").stdout, 10, "the FTP server")


class FtpClient:
    """Each step is a word to the client, and a word from it when the step is done."""

    def __init__(self, network, v6=False):
        command = network.inside("client") + [sys.executable, "-B", os.path.join(HERE, "ftp_client.py"),
                                              UNTRUST.host(v6), str(PORT)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.process = Process(self._child.pid, start_time(self._child.pid), self._child)
        self.expect("connected")

    def expect(self, word):
        line = self._child.stdout.readline().strip()
        if line != word:
            rest = self._child.communicate()[0] if not line or line.startswith("Traceback") else ""
            raise LabError(f"the FTP client says '{line}', not '{word}' {rest.strip()}".strip())

    def begin(self, words):
        self._child.stdin.write(words + "\n")
        self._child.stdin.flush()

    def end(self):
        self.process.end()
        self._child.stdin.close()
        self._child.stdout.close()

    def do(self, words, answer):
        self.begin(words)
        self.expect(answer)
