# SPDX-License-Identifier: Apache-2.0
"""Two gateways, a client and a server in network namespaces: for people, the demo, the net tests and the benches."""
from .gateway import pair_config
from .lab import DEFAULT_PREFIX, STATE_ROOT, Lab
from .system import LabError, wait_until
from .topology import ECHO_PORT, FORWARDED_PORT, GATEWAYS, HA_LINKS, THREE_GATEWAYS, TRUST, UNTRUST
from .traffic import Load

__all__ = ["DEFAULT_PREFIX", "ECHO_PORT", "FORWARDED_PORT", "GATEWAYS", "HA_LINKS", "Lab", "LabError", "Load",
           "STATE_ROOT", "THREE_GATEWAYS", "TRUST", "UNTRUST", "pair_config", "wait_until"]
