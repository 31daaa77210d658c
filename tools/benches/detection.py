# SPDX-License-Identifier: Apache-2.0
"""How long a dead master goes unnoticed: from kill -9 of its daemon to the moment the other one's lease is in force."""
import gc
import json
import os
import sys
import time

from nsrpbench.lease import Lease
from nsrpbench.table import spread
from nsrplab import Lab, LabError, wait_until

HELP = "from kill -9 of the master to the other gateway's mastership in its data path"
DEADLINE_S = 10


def add_arguments(parser):
    parser.add_argument("--runs", type=int, default=50, help="default %(default)s")
    parser.add_argument("--interval", type=int, default=10, metavar="MS", help="hb-interval; default %(default)s")
    parser.add_argument("--threshold", type=int, default=5, metavar="N", help="hb-threshold; default %(default)s")
    parser.add_argument("--json", metavar="FILE", help="keep every single figure there")


def detect(lab):
    """One death: the milliseconds from the signal to the survivor's lease, and how long the dead one's lease outlived it."""
    master = lab[lab.wait_pair()]
    heir = lab[lab.other(master.name)]
    with Lease(heir) as lease, Lease(master) as former:
        gc.disable()
        try:
            ended = None
            began = time.monotonic_ns()
            master.process.send(9)
            while not lease.in_force():
                now = time.monotonic_ns()
                if ended is None and not former.in_force():
                    ended = now
                if now - began > DEADLINE_S * 1e9:
                    raise LabError(f"{heir.name} did not take over within {DEADLINE_S} s {lab.describe()}")
            taken = time.monotonic_ns()
            overlapped = former.in_force()
        finally:
            gc.enable()
    master.process.wait(5)
    if overlapped:
        raise LabError("both leases were in force at once")
    lab.wait_master(heir.name)
    master.start()
    return (taken - began) / 1e6, ((ended or taken) - began) / 1e6


def run(arguments):
    pace = {"hb_interval": arguments.interval, "hb_threshold": arguments.threshold}
    samples, spurious = [], 0
    with Lab(f"bench{os.getpid()}-") as lab:
        lab.up()
        lab.configure(priority=100, **pace)
        lab.start_gateways()
        for number in range(arguments.runs):
            before = lab.wait_pair()
            time.sleep(0.05 + 0.0037 * number)  # the deaths fall into all phases of the interval
            if lab.wait_pair() != before:
                spurious += 1
            samples.append(detect(lab))
            if (number + 1) % 10 == 0:
                print(f"  {number + 1} of {arguments.runs}", file=sys.stderr, flush=True)
        wait_until(lambda: lab.master() is not None, 20, "a master at the end")
    limit = arguments.interval * arguments.threshold
    print(f"hb-interval {arguments.interval} ms x {arguments.threshold}, load {os.getloadavg()[0]:.1f} on "
          f"{os.cpu_count()} processors, {len(samples)} deaths of the master's daemon by kill -9; min/median/max")
    print(f"detection: {spread(s[0] for s in samples)} ms from the signal to the other one's mastership in its data path "
          f"(silence limit {limit} ms)")
    print(f"the dead one's lease ended after {spread(s[1] for s in samples)} ms, never after the other's began")
    print(f"masterships that changed without a death: {spurious}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({**pace, "detection_ms": [s[0] for s in samples], "lease_end_ms": [s[1] for s in samples]}, file)
    return 0
