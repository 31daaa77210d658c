# SPDX-License-Identifier: Apache-2.0
"""How fast new sessions reach the peer, what that costs, and how long a cold sync and a takeover take: OpenNSRP, and
conntrackd in its modes."""
import contextlib
import json
import os
import sys
import time

from nsrpbench.arguments import words_of
from nsrpbench.kernel_limits import room_for_sessions
from nsrpbench.mirrors import MIRRORS
from nsrpbench.rto_cold import ColdSync
from nsrpbench.rto_rate import Ladder
from nsrpbench.rto_takeover import Takeovers
from nsrplab import Lab, LabError
from nsrplab.sessions import swallow_storm

HELP = "new sessions per second, cold sync and takeover of the session mirror, beside conntrackd"
PARTS = {"rate": "new sessions until the first is missing, cost, latency", "cold": "an empty peer gets all there is",
         "takeover": "the stall of connections with many other sessions"}


def add_arguments(parser):
    parser.add_argument("--systems", type=words_of(MIRRORS), default=list(MIRRORS), metavar="A,B",
                        help=f"which of {', '.join(MIRRORS)}; default all")
    parser.add_argument("--parts", type=words_of(PARTS), default=list(PARTS), metavar="A,B",
                        help=f"which of {', '.join(PARTS)}; default all")
    parser.add_argument("--rates", type=numbers, default=[10, 20, 30, 40, 60, 80, 100, 130, 160, 0], metavar="K,K",
                        help="thousands of new sessions per second, 0 for all the kernel can; default %(default)s")
    parser.add_argument("--seconds", type=float, default=4, help="of new sessions at each rate; default %(default)s")
    parser.add_argument("--table", type=int, default=500_000, help="sessions beside the new ones; default %(default)s")
    parser.add_argument("--cold-sessions", type=int, default=1_000_000, help="default %(default)s")
    parser.add_argument("--cold-rate", type=int, default=20_000,
                        help="new sessions/s beside a cold sync; default %(default)s")
    parser.add_argument("--background", type=numbers, default=[0, 10, 200, 1000], metavar="K,K",
                        help="thousands of other sessions at a takeover; default %(default)s")
    parser.add_argument("--runs", type=int, default=3, help="takeovers with each background; default %(default)s")
    parser.add_argument("--json", metavar="FILE", help="keep every single figure there")


def numbers(text):
    return [int(word) for word in text.split(",")]


@contextlib.contextmanager
def lab_for(system):
    """A lab of its own for one system: what another one left behind cannot help or hinder it."""
    with Lab(f"bench{os.getpid()}-") as lab:
        lab.up(ha_switch=True)
        swallow_storm(lab.network)
        for name in lab.gateways:
            # A session of one packet is to stay for as long as the bench looks at it.
            lab.network.run(name, "sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=3600")
        yield system(lab)


def measure(key, arguments, parts):
    for part in parts:
        with lab_for(MIRRORS[key]) as mirror:
            try:
                mirror.start()
                part.measure(mirror, arguments)
            except LabError as error:
                part.failures.append(f"{mirror.name}: {error}")
                print(f"  {part.failures[-1]}", file=sys.stderr, flush=True)
            finally:
                mirror.stop()


def run(arguments):
    began = time.monotonic()
    pairs = [part for name, part in (("rate", Ladder()), ("cold", ColdSync())) if name in arguments.parts]
    takeovers = Takeovers()
    try:
        with room_for_sessions():
            if pairs:
                for key in arguments.systems:
                    measure(key, arguments, pairs)
            if "takeover" in arguments.parts:
                takeovers.measure(arguments)
    except KeyboardInterrupt:
        print("interrupted: what is measured so far", file=sys.stderr)
    every = pairs + ([takeovers] if "takeover" in arguments.parts else [])
    for part in every:
        print("\n" + part.report())
        for failure in part.failures:
            print(f"failed: {failure}")
    print(f"\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; "
          f"{time.monotonic() - began:.0f} s")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({part.title: part.figures for part in every}, file, indent=1)
    return 1 if any(part.failures for part in every) else 0
