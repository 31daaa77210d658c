# SPDX-License-Identifier: Apache-2.0
"""Telephones on both sides of the gateways, and conntrack's SIP helper on each gateway."""
import os

from .conversation import Conversation, assign_helper

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = 5060


def enable_helper(network, gateway):
    assign_helper(network, gateway, "sip", "udp", PORT)


class Phone(Conversation):
    def __init__(self, network, host, address):
        super().__init__(network, host, [os.path.join(HERE, "sip_phone.py"), address], "ready")
