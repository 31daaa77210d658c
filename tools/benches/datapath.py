# SPDX-License-Identifier: Apache-2.0
"""What a packet costs on its way through a gateway: in the stack, in the fast path, over the data link; beside the plainest
redirect and beside the kernel's own forwarding with conntrack and source NAT."""
import glob
import json
import shutil
import subprocess

from nsrpbench.arguments import words_of
from nsrpbench.kernel_limits import room_for_sessions
from nsrpbench.table import table
from nsrplab import LabError
from nsrplab.build import program

HELP = "cost of a packet: stack, fast path and data link, as ratios to plain redirect and to the kernel"

ROWS = {
    "redirect": "plain XDP redirect",
    "kernel": "kernel forwarding",
    "kernel_nat": "kernel, conntrack, SNAT",
    "empty_xdp": "the same, XDP programs that do nothing",
    "empty_xdp_tc": "the same, tc programs that do nothing too",
    "own_stack": "OpenNSRP, own traffic to the stack",
    "own_stack_two_vsds": "the same, two VSDs",
    "fast": "OpenNSRP, fast path",
    "crossed_fast": "data link, peer's fast path",
    "crossed_stack": "data link, peer's stack",
}
REFERENCE = "kernel_nat"


def add_arguments(parser):
    parser.add_argument("--flows", default="1024,131072,1048576", help="sessions, default %(default)s")
    parser.add_argument("--rows", type=words_of(ROWS), default=list(ROWS), metavar="A,B",
                        help=f"what to measure beside the references: {', '.join(ROWS)}; default all")
    parser.add_argument("--milliseconds", type=int, default=1500, help="of each of three rounds, default %(default)s")
    parser.add_argument("--no-programs", action="store_true", help="without the costs of single programs")
    parser.add_argument("--json", metavar="FILE", help="keep the figures there")


def measure(arguments):
    words = [program("nsrp-datapath-bench"), "--milliseconds", str(arguments.milliseconds),
             "--programs", "no" if arguments.no_programs else "yes"]
    for flows in arguments.flows.split(","):
        words += ["--flows", flows]
    for row in {"source", "redirect", REFERENCE, *arguments.rows}:
        words += ["--row", row]
    with room_for_sessions(), subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as bench:
        try:
            found = [json.loads(line) for line in bench.stdout]
        except BaseException:
            bench.kill()
            raise
        finally:
            bench.wait()
            for pins in glob.glob(f"/sys/fs/bpf/nsrp-bench-{bench.pid}-*"):
                shutil.rmtree(pins)
    if bench.returncode != 0:
        raise LabError(f"nsrp-datapath-bench ended with {bench.returncode}")
    return found


def end_to_end(figures):
    """One table for each number of sessions and size of packets; what the source itself costs is taken off."""
    measured = {(f["flows"], f["bytes"], f["row"]): f for f in figures if "row" in f}
    for flows, size in sorted({key[:2] for key in measured}):
        source = measured[flows, size, "source"]["ns"]

        def cost(name, flows=flows, size=size, source=source):
            return max(measured[flows, size, name]["ns"] - source, 1)
        lines = []
        for name, label in ROWS.items():
            if (flows, size, name) not in measured:
                continue
            figure = measured[flows, size, name]
            in_stack = f"{100 * figure['renewing'] / max(figure['renewing'] + figure['fast'], 1):.1f}" if figure["fast"] else "-"
            lines.append((label, f"{cost(name):.0f}", f"{cost(name) / cost('redirect'):.1f}",
                          f"{cost(REFERENCE) / cost(name):.2f}", in_stack, f"{100 * figure['lost']:.2f}"))
        print(f"\n{flows} sessions, {size} bytes (the source's own {source:.0f} ns taken off)")
        print(table(("", "ns/packet", "x redirect", "throughput x kernel+NAT", "% renewing", "% lost"), lines))


def accounts(figures):
    """Where the time of a packet goes that takes the stack; programs as the kernel's own statistics have them."""
    measured = {(f["flows"], f["bytes"], f["row"]): f["ns"] for f in figures if "row" in f}
    inside = {(f["flows"], f["bytes"], f["inside"], f["program"]): f["ns"] for f in figures if "inside" in f}
    cases = sorted({key[:2] for key in inside if key[2] == "own_stack"})
    lines = {}
    for case in cases:
        if not all((*case, row) in measured for row in (REFERENCE, "empty_xdp", "empty_xdp_tc")):
            continue

        def spent(program, hook, case=case):
            return inside[*case, "own_stack", program] - inside[*case, "empty_xdp_tc", hook]
        parts = {
            "kernel, conntrack, SNAT": measured[*case, REFERENCE] - measured[*case, "source"],
            "that XDP programs are there": measured[*case, "empty_xdp"] - measured[*case, REFERENCE],
            "that tc programs are there": measured[*case, "empty_xdp_tc"] - measured[*case, "empty_xdp"],
            "nsrp_traffic_in": spent("nsrp_traffic_in", "empty XDP"),
            "nsrp_tc_in": spent("nsrp_tc_in", "empty tc"),
            "nsrp_tc_out": spent("nsrp_tc_out", "empty tc")}
        whole = measured[*case, "own_stack"] - measured[*case, "source"]
        parts |= {"not accounted for": whole - sum(parts.values()), "OpenNSRP, own traffic to the stack": whole}
        for part, cost in parts.items():
            lines.setdefault(part, []).append(f"{cost:.0f}")
    if lines:
        print("\nwhere the nanoseconds of own traffic to the stack go, by sessions and bytes")
        print(table(("", *(f"{flows}, {size}" for flows, size in cases)), [(part, *costs) for part, costs in lines.items()]))


def programs(figures):
    costs = [f for f in figures if "vsds" in f]
    shapes = sorted({(c["vsds"], c["vsis"]) for c in costs})
    if not shapes:
        return
    by_shape = {(c["program"], c["vsds"], c["vsis"]): c["ns"] for c in costs}
    print("\nns per packet in each program (BPF_PROG_TEST_RUN), by VSDs x VSIs")
    print(table(("", *(f"{vsds} x {vsis}" for vsds, vsis in shapes)),
                [(name, *(f"{by_shape[name, *shape]:.0f}" for shape in shapes))
                 for name in dict.fromkeys(c["program"] for c in costs)]))


def run(arguments):
    figures = measure(arguments)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as output:
            json.dump(figures, output, indent=1)
    end_to_end(figures)
    accounts(figures)
    programs(figures)
    return 0
