# SPDX-License-Identifier: Apache-2.0
"""conntrackd, set up as well as it can be: buffers and tables far above the shipped ones, both HA links."""
import re

from .system import PREFERRED

LINKS = (("ha1", "192.168.101", 3780), ("ha2", "192.168.102", 3781))


def conntrackd_conf(node, folder, mode="FTFW", external_cache=True):
    """mode: FTFW, which repeats what was lost, or NOTRACK, which sends and forgets. Without the external cache sessions
    of the peer go straight into the kernel."""
    own, other = (1, 2) if node == PREFERRED else (2, 1)
    links = "".join(f"""
  UDP{' Default' if index == 0 else ''} {{
    IPv4_address {net}.{own}
    IPv4_Destination_Address {net}.{other}
    Port {port}
    Interface {ifname}
    SndSocketBuffer 8388608
    RcvSocketBuffer 8388608
    Checksum on
  }}""" for index, (ifname, net, port) in enumerate(LINKS))
    ignored = "".join(f"\n      IPv4_address {net}.0/24" for _, net, _ in LINKS)
    resend = "\n    ResendQueueSize 131072" if mode == "FTFW" else ""
    return f"""
Sync {{
  Mode {mode} {{{resend}
    DisableExternalCache {'Off' if external_cache else 'On'}
  }}{links}
}}
General {{
  Systemd Off
  HashSize 524288
  HashLimit 4000000
  LogFile {folder}/conntrackd.log
  LockFile {folder}/conntrackd.lock
  UNIX {{
    Path {folder}/conntrackd.ctl
  }}
  NetlinkBufferSize 8388608
  NetlinkBufferSizeMaxGrowth 67108864
  Filter From Userspace {{
    Protocol Accept {{
      TCP
      UDP
      ICMP
    }}
    Address Ignore {{
      IPv4_address 127.0.0.1{ignored}
    }}
  }}
}}
"""


def external_cache_size(statistics):
    """From what `conntrackd -s` says."""
    found = re.search(r"cache external:\s+current active connections:\s+(\d+)", statistics)
    return int(found[1]) if found else 0
