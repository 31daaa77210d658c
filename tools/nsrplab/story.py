# SPDX-License-Identifier: Apache-2.0
"""What tools/demo shows once everything is built: a pair at work, the death of its master, and what that cost."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from nsrplab import TRUST, UNTRUST, Lab, LabError, Load, wait_until  # noqa: E402

CONNECTIONS = 200
PACKETS_PER_SECOND = 1000

TOPOLOGY = f"""
          client {TRUST.host()}                   server {UNTRUST.host()}
                 |                                   |
    =====+=======+=======+=====         =====+=======+=======+=====
         |  trust switch |                   | untrust switch|
    eth1 |          eth1 |              eth2 |          eth2 |
        gwA             gwB                 gwA             gwB

    gwA and gwB share two more cables: ha1 and ha2. Each box is a network namespace of this machine.
    Both gateways carry {TRUST.vsi()} (trust) and {UNTRUST.vsi()} (untrust), with virtual MACs; the master answers for them.
    The client reaches the server through source NAT.
"""


def heading(text):
    print(f"\n--- {text}")


def show(gateway, words):
    """A command as a person would type it on that gateway, and its answer."""
    print(f"\n[{gateway.name}] nsrp {words}")
    done = gateway.cli(words)
    print("    " + (done.stdout or done.stderr).rstrip().replace("\n", "\n    "))


def show_command(lab, host, *words):
    print(f"\n[{host}] {' '.join(words)}")
    print("    " + lab.network.run(host, *words, check=False).stdout.rstrip().replace("\n", "\n    "))


def begin(lab):
    heading("The lab")
    print(TOPOLOGY)
    lab.up()
    lab.start_gateways()
    master = lab.wait_pair()
    print(f"    Both daemons run. Master: {master}. Backup: {lab.other(master)}, in sync.")
    for gateway in lab.gateways.values():
        show(gateway, "get nsrp")
    return master


def start_traffic(lab):
    heading("Traffic")
    show_command(lab, "client", "ping", "-c", "3", "-i", "0.2", "-q", UNTRUST.host())
    server = lab.echo_server("server")
    client = lab.traffic(Load(connections=CONNECTIONS, udp_rate=PACKETS_PER_SECOND))
    client.wait_ready()
    client.wait_flowing(2)
    print(f"\n    Through NAT now: {PACKETS_PER_SECOND} UDP packets a second, {CONNECTIONS} TCP connections "
          "with a message every 50 ms each.")
    return server, client


def wait_mirrored(lab, backup):
    """Until the backup knows the connections: what is not yet mirrored cannot survive."""
    wait_until(lambda: lab[backup].sessions() >= CONNECTIONS, 20, f"{CONNECTIONS} sessions mirrored to {backup}")
    print(f"    Sessions the backup {backup} holds: {lab[backup].sessions()}.")


def kill(lab, master):
    survivor = lab.other(master)
    heading(f"kill -9 of nsrpd on {master}")
    lab[master].kill9()
    killed = time.monotonic()
    lab.wait_master(survivor)
    print(f"    {survivor} is master {1000 * (time.monotonic() - killed):.0f} ms later (as seen by asking it).")
    return survivor


def cost(server, client):
    client.wait_flowing(2)
    result = client.stop()
    server.stop()
    udp, tcp = result["udp"], result["tcp"]
    heading("What it cost")
    print(f"    packets lost          {udp['lost']} of {udp['sent']}")
    print(f"    longest gap           {udp['longest_gap_ms']:.0f} ms")
    print(f"    connections broken    {tcp['broken']} of {tcp['established']}")
    print(f"    longest TCP stall     {tcp['longest_stall_ms']:.0f} ms (median over connections "
          f"{tcp['median_stall_ms']:.0f} ms; TCP waits for its retransmission timer)")
    return tcp["broken"] + tcp["never_established"]


def come_back(lab, killed):
    heading(f"nsrpd on {killed} starts again")
    lab[killed].start()
    lab.wait_pair()
    print(f"    {killed} is {lab[killed].state()} and in sync.")
    for gateway in lab.gateways.values():
        show(gateway, "get nsrp")


def where_to_look(lab, master):
    heading("Where to look")
    pins = lab.bpf_dir(master)
    print(f"    Maps and programs of {master} are pinned under {pins}:")
    for here, _, names in sorted(os.walk(pins)):
        for name in sorted(names):
            print(f"      {os.path.join(here, name)}")
    print(f"""
    bpftool map dump pinned {pins}/v3/vsd_state     who is master, and until when
    bpftool map dump pinned {pins}/v3/sessions      the mirrored sessions
    nsenter --net=/run/netns/{lab.network.namespace(master)} bpftool net    what is attached where""")
    show_command(lab, master, "bpftool", "net")


def how_to_go_on(lab):
    print(f"""
The lab stays up. As root:
    tools/lab status
    tools/lab shell client            (server, gwA, gwB, trust, untrust)
    tools/lab nsrp gwA get nsrp       or, in the shell of gwA, just: nsrp
    tools/lab traffic                 ends with Ctrl-C and a result
    tools/lab kill gwA; tools/lab start gwA
    tools/lab cut gwA-trust; tools/lab heal gwA-trust
    tools/lab down                    removes everything
Logs and configurations: {lab.folder}/gwA and {lab.folder}/gwB""")


def end_on_signal(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the lab is taken down on the way out
    sys.exit(143)


def main(keep):
    signal.signal(signal.SIGTERM, end_on_signal)
    lab = Lab()
    if lab.is_up() or lab.network.existing():
        raise LabError("a lab is up already: tools/lab down")
    done = False
    try:
        master = begin(lab)
        server, client = start_traffic(lab)
        wait_mirrored(lab, lab.other(master))
        survivor = kill(lab, master)
        broken = cost(server, client)
        come_back(lab, master)
        where_to_look(lab, survivor)
        done = True
    finally:
        if keep and done:
            how_to_go_on(lab)
        else:
            lab.down()
    if broken:
        print(f"\n{broken} connections did not survive.")
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main("--keep" in sys.argv[1:]))
    except (LabError, subprocess.SubprocessError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        sys.exit(1)
