# SPDX-License-Identifier: Apache-2.0
"""Plays frames into a link: injector.py IFNAME FLOOD_SECONDS < frames in hex, one a line

With 0 seconds each frame goes out once, in order; else all of them in turn, as fast as one processor can, for so long.
Prints how many frames left.
"""
import ctypes
import sys
import time

from scapy.config import conf
from scapy.packet import Raw
import scapy.arch.linux  # noqa: F401  the raw sockets of scapy on Linux


class Part(ctypes.Structure):  # struct iovec
    _fields_ = [("base", ctypes.c_char_p), ("size", ctypes.c_size_t)]


class Message(ctypes.Structure):  # struct mmsghdr of sendmmsg(2)
    _fields_ = [("name", ctypes.c_void_p), ("name_size", ctypes.c_uint), ("parts", ctypes.POINTER(Part)),
                ("part_count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_size", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("sent", ctypes.c_uint)]


def play(link, frames):
    for frame in frames:
        link.send(Raw(frame))
    return len(frames)


def flood(link, frames, duration_s):
    """Many frames in one system call: a Python loop would be the brake."""
    batch = (frames * (500 // len(frames) + 1))[:500]
    parts = (Part * len(batch))(*(Part(frame, len(frame)) for frame in batch))
    messages = (Message * len(batch))()
    for message, part in zip(messages, parts):
        message.parts, message.part_count = ctypes.pointer(part), 1
    libc = ctypes.CDLL(None)
    sent, end, descriptor = 0, time.monotonic() + duration_s, link.outs.fileno()
    while time.monotonic() < end:
        sent += max(0, libc.sendmmsg(descriptor, messages, len(batch), 0))
    return sent


def main(ifname, duration_s):
    frames = [bytes.fromhex(line) for line in sys.stdin.read().split()]
    link = conf.L2socket(iface=ifname)
    print(flood(link, frames, float(duration_s)) if float(duration_s) else play(link, frames))


main(*sys.argv[1:])
