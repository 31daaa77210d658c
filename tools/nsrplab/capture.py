# SPDX-License-Identifier: Apache-2.0
"""Which frames left a gateway: a capture on the switch port at the other end of its cable."""
import os
import re
import signal
import struct
from typing import NamedTuple

from .system import LabError, Process, wait_until

# Source address in the virtual MACs' range.
VIRTUAL_SOURCE = "ether[6:2] = 0x024e and ether[8] = 0x53"
NANOSECOND_PCAP = 0xA1B23C4D
PCAP_HEADER = 24
# Who sent a frame and when, and nothing else of it: every record is equally long.
HEADER_ONLY = 14
HEADER_RECORD = f"<II8x{HEADER_ONLY}x"


class Frame(NamedTuple):
    time_ns: int
    data: bytes

    @property
    def is_arp(self):
        return self.data[12:14] == b"\x08\x06"


def read_pcap(path):
    with open(path, "rb") as pcap:
        data = pcap.read()
    if len(data) < PCAP_HEADER or struct.unpack_from("<I", data)[0] != NANOSECOND_PCAP:
        raise LabError(f"{path} is not a capture with nanoseconds")
    frames, at = [], PCAP_HEADER
    while at + 16 <= len(data):
        seconds, nanoseconds, length = struct.unpack_from("<III", data, at)
        frames.append(Frame(seconds * 10**9 + nanoseconds, data[at + 16:at + 16 + length]))
        at += 16 + length
    return frames


class Capture:
    """Frames that arrive at one interface of a host, from start to stop()."""
    _made = 0

    def __init__(self, network, folder, host, ifname, expression=VIRTUAL_SOURCE, direction="in", snap_bytes=96):
        Capture._made += 1
        self.path = os.path.join(folder, f"{host}-{ifname}-{Capture._made}.pcap")
        said_path = self.path + ".log"
        command = network.inside(host) + [
            # Immediate mode: otherwise frames wait in a buffer that the end of tcpdump throws away. tcpdump would also
            # change its user, and then cannot write here.
            "tcpdump", "--immediate-mode", "-Z", "root", "--time-stamp-precision=nano", "-n", "-U",
            "-s", str(snap_bytes), "-i", ifname, "-Q", direction, "-w", self.path, expression]
        with open(said_path, "wb") as said:
            self.process = Process.spawn(command, said)
        self._said_path = said_path
        wait_until(lambda: "listening on" in self._said(), 10, f"tcpdump on {ifname} of {host}", 0.02)

    def _said(self):
        with open(self._said_path, encoding="utf-8", errors="replace") as said:
            return said.read()

    def saw_any(self):
        return os.path.getsize(self.path) > PCAP_HEADER

    def stop(self):
        """Ends the capture and returns its frames; an error when the kernel dropped some."""
        self._end()
        return read_pcap(self.path)

    def stop_times(self):
        """As stop(), but only the times: hundreds of thousands cost next to nothing. snap_bytes must be HEADER_ONLY."""
        self._end()
        with open(self.path, "rb") as pcap:
            records = pcap.read()[PCAP_HEADER:]
        size = struct.calcsize(HEADER_RECORD)
        whole = records[:len(records) // size * size]
        return [seconds * 10**9 + nanoseconds for seconds, nanoseconds in struct.iter_unpack(HEADER_RECORD, whole)]

    def _end(self):
        self.process.send(signal.SIGINT)
        self.process.wait(10)
        dropped = re.search(r"(\d+) packets dropped by kernel", self._said())
        if dropped and int(dropped.group(1)) > 0:
            raise LabError(f"the capture lost {dropped.group(1)} frames: {self.path}")
