# SPDX-License-Identifier: Apache-2.0
"""tools/lab: build a lab, look into its hosts, break its cables.

  sudo tools/lab up                     client - switch - gwA, gwB - switch - server, and two HA cables
  sudo tools/lab start                  nsrpd on both gateways
  sudo tools/lab shell client           a shell inside a host; on gwA and gwB, `nsrp` talks to that gateway's daemon
  sudo tools/lab cut gwA-trust          also client, server, gwB-untrust …, ha1, ha2, or a whole gateway: gwA
  sudo tools/lab capture trust gwA      what gwA sends and receives, at the switch's end of its cable
  sudo tools/lab down                   removes all of it, also after a crash
"""
import argparse
import json
import os
import sys

from .build import place, program
from .lab import DEFAULT_PREFIX, Lab
from .system import LabError
from .topology import END_HOSTS, GATEWAYS, HA_SWITCH, SWITCHES, THREE_GATEWAYS, TRUST, UNTRUST, Layout, link_names
from .traffic import Load

EVERYWHERE = (*END_HOSTS, *THREE_GATEWAYS, *SWITCHES, HA_SWITCH)


def parser():
    top = argparse.ArgumentParser(prog="tools/lab", description=__doc__,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--prefix", default=DEFAULT_PREFIX, help="names this lab's namespaces; default %(default)s")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, action, text):
        command = commands.add_parser(name, help=text)
        command.set_defaults(action=action)
        return command

    up = add("up", do_up, "build the hosts and their cables")
    up.add_argument("--ha-switch", action="store_true", help="HA links through two switches each: they can fail with carrier up")
    up.add_argument("--three", action="store_true", help="a third gateway, gwC; with --ha-switch")
    up.add_argument("--static", choices=GATEWAYS, help="no NSRP: this gateway holds the addresses, by hand")
    add("down", do_down, "remove everything")
    add("status", do_status, "what stands and who is master")
    for name, action, text in (("start", do_start, "start nsrpd"), ("stop", do_stop, "end nsrpd with SIGTERM"),
                               ("kill", do_kill, "end nsrpd with SIGKILL"), ("freeze", do_freeze, "SIGSTOP nsrpd"),
                               ("thaw", do_thaw, "SIGCONT nsrpd")):
        add(name, action, text).add_argument("gateways", nargs="*", metavar="GATEWAY", help="default: all")
    nsrp = add("nsrp", do_nsrp, "run an nsrp command on a gateway")
    nsrp.add_argument("gateway", choices=THREE_GATEWAYS)
    nsrp.add_argument("words", nargs=argparse.REMAINDER)
    shell = add("shell", do_shell, "a shell inside a host")
    shell.add_argument("host", choices=EVERYWHERE)
    execute = add("exec", do_exec, "a command inside a host")
    execute.add_argument("host", choices=EVERYWHERE)
    execute.add_argument("words", nargs=argparse.REMAINDER)
    cut = add("cut", do_cut, "break a link: " + ", ".join(link_names(Layout())))
    cut.add_argument("link")
    cut.add_argument("--silent", action="store_true", help="frames vanish, carrier stays")
    add("heal", do_heal, "mend a link").add_argument("link")
    for name, action, text in (("mute", do_mute, "what a gateway sends on a link vanishes"), ("unmute", do_unmute, "undo mute")):
        muting = add(name, action, text)
        muting.add_argument("gateway", choices=THREE_GATEWAYS)
        muting.add_argument("link")
    capture = add("capture", do_capture, "tcpdump at one interface of a host")
    capture.add_argument("host", choices=EVERYWHERE)
    capture.add_argument("interface")
    capture.add_argument("words", nargs=argparse.REMAINDER, help="more words for tcpdump")
    add("compare", do_compare, "whether both gateways' conntrack tables are equal, and where they differ")
    traffic = add("traffic", do_traffic, "UDP and TCP from client to server; Ctrl-C ends it with the result")
    traffic.add_argument("--connections", type=int, default=50)
    traffic.add_argument("--udp-rate", type=int, default=1000)
    traffic.add_argument("--v6", action="store_true")
    return top


def environment(lab, host):
    """PATH with a `nsrp` that knows this gateway, and the programs of the build."""
    paths = [os.path.dirname(place("nsrp-traffic"))]
    if host in THREE_GATEWAYS:
        folder = os.path.join(lab.folder, host, "bin")
        os.makedirs(folder, exist_ok=True)
        wrapper = os.path.join(folder, "nsrp")
        with open(wrapper, "w", encoding="utf-8") as script:
            script.write(f"#!/bin/sh\nexec {place('nsrp')} -r {lab[host].run_dir} \"$@\"\n")
        os.chmod(wrapper, 0o755)
        paths.insert(0, folder)
    env = dict(os.environ, PS1=f"[{lab.prefix}{host}] \\w # ")
    env["PATH"] = ":".join([*paths, env.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")])
    return env


def enter(lab, host, words):
    lab.require_up()
    command = lab.network.inside(host) + words
    os.execvpe(command[0], command, environment(lab, host))


def do_up(lab, args):
    lab.up(ha_switch=args.ha_switch, gateways=THREE_GATEWAYS if args.three else GATEWAYS)
    if args.static:
        lab.network.make_static_gateway(args.static)
    print(f"client {TRUST.host()} - gateways' VSIs {TRUST.vsi()} and {UNTRUST.vsi()} - server {UNTRUST.host()}")
    print(f"configuration, logs and sockets of the gateways: {lab.folder}/gwA, {lab.folder}/gwB")


def do_down(lab, _):
    lab.down()


def do_status(lab, _):
    if not lab.is_up():
        print(f"lab '{lab.prefix}' is not up")
        return 1
    print("hosts:", ", ".join(lab.network.existing()))
    for name, gateway in lab.gateways.items():
        alive = gateway.alive()
        print(f"{name}: " + (f"nsrpd {gateway.process.pid}, {gateway.state()}" if alive else "nsrpd does not run"))
    return 0


def chosen(lab, args):
    return [lab[name] for name in (args.gateways or lab.gateways)]


def do_start(lab, args):
    gateways = chosen(lab, args)
    for gateway in gateways:
        gateway.start(ready_within_s=0)
    for gateway in gateways:
        gateway.wait_ready()


def do_stop(lab, args):
    for gateway in chosen(lab, args):
        gateway.terminate()


def do_kill(lab, args):
    for gateway in chosen(lab, args):
        gateway.kill9()


def do_freeze(lab, args):
    for gateway in chosen(lab, args):
        gateway.freeze()


def do_thaw(lab, args):
    for gateway in chosen(lab, args):
        gateway.thaw()


def do_nsrp(lab, args):
    os.execv(program("nsrp"), ["nsrp", "-r", lab[args.gateway].run_dir, *args.words])


def do_shell(lab, args):
    enter(lab, args.host, ["bash", "--norc", "-i"])


def do_exec(lab, args):
    if not args.words:
        raise LabError("exec needs a command")
    enter(lab, args.host, args.words)


def do_cut(lab, args):
    lab.cut(args.link, args.silent)


def do_heal(lab, args):
    lab.heal(args.link)


def do_mute(lab, args):
    lab.mute(args.gateway, args.link)


def do_unmute(lab, args):
    lab.unmute(args.gateway, args.link)


def do_capture(lab, args):
    enter(lab, args.host, ["tcpdump", "-nel", "-i", args.interface, *args.words])


def do_compare(lab, _):
    comparison = lab.compare_sessions()
    print("\n".join([comparison.summary(), *comparison.examples]))
    return 0 if comparison.equal else 1


def do_traffic(lab, args):
    server = lab.echo_server("server")
    client = lab.traffic(Load(connections=args.connections, udp_rate=args.udp_rate, v6=args.v6))
    try:
        client.process.wait(10**9)
    except KeyboardInterrupt:
        print(json.dumps(client.stop(), indent=2))
    finally:
        server.stop()


def main(words):
    args = parser().parse_args(words)
    try:
        return args.action(Lab(args.prefix), args) or 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
