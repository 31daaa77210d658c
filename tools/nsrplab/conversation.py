# SPDX-License-Identifier: Apache-2.0
"""A program on a host that does one step at each word it is given, so that a test can do something between two steps."""
import subprocess
import sys

from .system import LabError, Process, start_time


def assign_helper(network, gateway, name, protocol, port):
    """Conntrack's helper of that name reads what goes to the port through the gateway."""
    network.run(gateway, "nft", "-f", "-", text_input=f"""
        table inet lab_helper_{name} {{
          ct helper {name} {{
            type "{name}" protocol {protocol}
          }}
          chain prerouting {{
            type filter hook prerouting priority filter;
            {protocol} dport {port} ct helper set "{name}"
          }}
        }}
        """)


class Conversation:
    """Each step is a word to the program, and a word from it when the step is done."""

    def __init__(self, network, host, program, greeting):
        self._child = subprocess.Popen(network.inside(host) + [sys.executable, "-B", *program], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                       start_new_session=True)
        self.process = Process(self._child.pid, start_time(self._child.pid), self._child)
        self.name = program[0].rsplit("/", 1)[-1]
        self.expect(greeting)

    def hear(self):
        line = self._child.stdout.readline().strip()
        if not line or line.startswith("Traceback"):
            raise LabError(f"{self.name} says '{line}' {self._child.communicate()[0].strip()}".strip())
        return line

    def expect(self, word):
        line = self.hear()
        if line != word:
            raise LabError(f"{self.name} says '{line}', not '{word}'")

    def begin(self, words):
        self._child.stdin.write(words + "\n")
        self._child.stdin.flush()

    def ask(self, words):
        self.begin(words)
        return self.hear()

    def end(self):
        self.process.end()
        self._child.stdin.close()
        self._child.stdout.close()

    def do(self, words, answer):
        self.begin(words)
        self.expect(answer)
