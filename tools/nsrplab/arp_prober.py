# SPDX-License-Identifier: Apache-2.0
"""Asks each gateway at its own switch port, a hundred times a second: who has this address?

    python3 arp_prober.py ADDRESS PORT...        inside the switch's namespace

A switch sends traffic to one gateway only, so another that believes to be master as well stays silent. Asked directly
it answers, and a capture on its port shows the virtual MAC.
"""
import socket
import struct
import sys
import time

ASKER_MAC = bytes.fromhex("02e000000001")  # no host of the lab
ETH_P_ARP = 0x0806
INTERVAL_S = 0.01


def arp_request(address):
    wanted = socket.inet_aton(address)
    asker = wanted[:3] + bytes([254])
    ethernet = b"\xff" * 6 + ASKER_MAC + struct.pack("!H", ETH_P_ARP)
    return ethernet + struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, ASKER_MAC, asker, bytes(6), wanted)


def main(address, ports):
    frame = arp_request(address)
    sockets = []
    for port in ports:
        # Sent by the port's device itself: the bridge takes no part, and only this gateway is asked.
        each = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        each.bind((port, ETH_P_ARP))
        sockets.append(each)
    while True:
        for each in sockets:
            try:
                each.send(frame)
            except OSError:
                pass  # the cable is cut: nobody to ask
        time.sleep(INTERVAL_S)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
