#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Frames recorded on the HA links and played back, changed or not, by somebody who does not know the password: no state
changes, and the right counter rises. docs/protocol.md names the counters."""
import itertools
import random
import struct

from harness import GATEWAYS, LabTest, main, wait_until

HEAD_BYTES, TAG_BYTES = 52, 16
COUNTER_AT, EPOCH_AT = 36, 28
PASSWORDS = ["set nsrp auth password Kjw82hdKq", "set nsrp encrypt password 9slKcm2w"]
FRAMES = "ether proto 0x88b5"
HEARTBEATS = "ether proto 0x88b5 and ether[19] = 1"
FLOOD_S = 4


def changed(frame, at, value):
    return frame[:at] + value + frame[at + len(value):]


def newer(frame):
    """With a counter its receiver has not seen yet."""
    counter = struct.unpack_from(">Q", frame, COUNTER_AT)[0]
    return changed(frame, COUNTER_AT, struct.pack(">Q", counter + 100_000))


class Replay(LabTest):
    ha_switch = True
    settings = {"priority": {"gwA": 50, "gwB": 100}, "extra": PASSWORDS}

    def setUp(self):
        super().setUp()
        self.everything = self.lab.capture("ha", "gwB-ha1", FRAMES, "in", 2000)
        self.start_pair()
        self.master_is_gw_a()

    def master_is_gw_a(self):
        self.make_master("gwA")
        self.assertEqual(self.lab.wait_pair(), "gwA")

    # What stands on the links

    def record(self, *cables, count=10):
        """Heartbeats, whole, as they leave these (gateway, link) cables: a list of frames for each."""
        captures = [self.lab.capture("ha", f"{gateway}-{link}", HEARTBEATS, "in", 2000) for gateway, link in cables]
        sent = {name: self.sent(name) for name in GATEWAYS}
        wait_until(lambda: all(self.sent(name) > sent[name] + 3 * count for name in GATEWAYS), 30, "heartbeats")
        recorded = [[frame.data for frame in capture.stop()] for capture in captures]
        for frames in recorded:
            self.assertGreaterEqual(len(frames), count)
        return recorded

    def sent(self, gateway):
        return self.lab[gateway].status()["frames"]["sent"]

    def play(self, gateway, link, frames, flood_s=0):
        """Into this gateway's end of the link."""
        return self.lab.inject("ha", f"{gateway}-{link}", frames, flood_s)

    # What must hold

    def drops(self, gateway):
        return self.lab[gateway].status()["frames"]["dropped"]

    def picture(self):
        """All that a frame must not change."""
        shown = {}
        for name, gateway in self.lab.gateways.items():
            status = gateway.status()
            group = status["vsd_groups"][0]
            shown[name] = {"state": group["state"], "term": group["term"],
                           "members": [(m["unit_id"], m["state"], m["alive"]) for m in group["members"]],
                           "peers": [(p["unit_id"], p["alive"]) for p in status["peers"]],
                           "links": [(l["ifname"], l["role"], l["up"]) for l in status["ha_links"]],
                           "in_sync": status["rto_mirror"]["in_sync"]}
        return shown

    def assert_only_counts(self, gateway, link, frames, cause):
        """Played in, each frame is dropped for this cause and for no other, and nothing else happens."""
        before, drops = self.picture(), self.drops(gateway)
        self.play(gateway, link, frames)
        wait_until(lambda: self.drops(gateway)[cause] >= drops[cause] + len(frames), 10, f"{cause} counted",
                   instead=lambda: {"before": drops, "now": self.drops(gateway)})
        now = self.drops(gateway)
        self.assertEqual({c: now[c] - drops[c] for c in now if now[c] != drops[c]}, {cause: len(frames)})
        self.assertEqual(self.picture(), before)
        self.assert_master_stays("gwA", 0.5)

    # What is played in

    def frames_that_were_heard_before(self):
        for victim in GATEWAYS:
            with self.subTest(victim=victim):
                sender = self.lab.other(victim)
                frames = self.said[sender, "ha1"]
                self.assert_only_counts(victim, "ha1", frames, "replay")
                self.assert_only_counts(victim, "ha1", list(reversed(frames)), "replay")

    def everything_a_member_has_said_since_its_start(self):
        """Challenges and their answers too."""
        frames = [frame.data for frame in self.everything.stop()]
        self.assertLessEqual({1, 4, 5}, {frame[19] for frame in frames})
        self.assert_only_counts("gwA", "ha1", frames, "replay")

    def frames_that_are_cut_short_or_drawn_out(self):
        for victim in GATEWAYS:
            with self.subTest(victim=victim):
                sender = self.lab.other(victim)
                frame = self.said[sender, "ha1"][0]
                short = [frame[:size] for size in range(16, len(frame), 7)]
                self.assert_only_counts(victim, "ha1", short + [frame + bytes(4)], "malformed")

    def frames_that_are_forged(self):
        for victim in GATEWAYS:
            with self.subTest(victim=victim):
                sender = self.lab.other(victim)
                frame = newer(self.said[sender, "ha1"][0])
                forged = [changed(frame, at, bytes([frame[at] ^ 0x10])) for at in range(HEAD_BYTES, len(frame), 5)]
                self.assert_only_counts(victim, "ha1", [frame, *forged], "bad tag")
                self.assert_only_counts(victim, "ha1", [changed(frame, 44, b"\1\2\3\4")], "unknown key")
                bare = changed(changed(frame[:-TAG_BYTES], 44, bytes(4)), 48, b"\0")
                self.assert_only_counts(victim, "ha1", [bare], "unprotected")
                self.assert_only_counts(victim, "ha1", [changed(frame, 18, b"\xff")], "wrong version")
                self.assert_only_counts(victim, "ha1", [changed(frame, 20, b"\5")], "wrong cluster")

    def frames_of_one_link_on_the_other(self):
        for victim in GATEWAYS:
            with self.subTest(victim=victim):
                sender = self.lab.other(victim)
                self.assert_only_counts(victim, "ha2", self.said[sender, "ha1"], "wrong link")
                self.assert_only_counts(victim, "ha1", self.said[sender, "ha2"], "wrong link")

    def frames_that_come_back_to_their_sender(self):
        for victim in GATEWAYS:
            with self.subTest(victim=victim):
                self.assert_only_counts(victim, "ha1", self.said[victim, "ha1"], "own echo")

    # The tests

    def test_frames_that_change_nothing(self):
        """One pair lives through all of it."""
        cables = list(itertools.product(GATEWAYS, ("ha1", "ha2")))
        self.said = dict(zip(cables, self.record(*cables)))
        for play in (self.everything_a_member_has_said_since_its_start, self.frames_that_were_heard_before,
                     self.frames_that_are_cut_short_or_drawn_out, self.frames_that_are_forged,
                     self.frames_of_one_link_on_the_other, self.frames_that_come_back_to_their_sender):
            with self.subTest(play=play.__name__):
                play()

    def test_frames_of_a_run_that_is_over(self):
        theirs, own = self.record(("gwB", "ha1"), ("gwA", "ha1"))
        self.lab["gwB"].terminate()
        self.lab.wait_master("gwA")
        self.lab["gwB"].start()
        self.lab.wait_pair()
        self.master_is_gw_a()
        self.assert_only_counts("gwA", "ha1", theirs, "stale epoch")
        self.lab["gwA"].kill9()
        self.lab.wait_master("gwB")
        self.lab["gwA"].start()
        self.lab.wait_pair()
        self.master_is_gw_a()
        self.assert_only_counts("gwA", "ha1", own, "duplicate unit id")

    def test_a_flood_delays_no_heartbeat(self):
        real = self.record(("gwB", "ha1"))[0][0]
        chance = random.Random(1)
        garbage = [chance.randbytes(chance.randint(60, 1500)) for _ in range(500)]
        floods = {
            "garbage": [changed(frame, 0, b"\xff" * 6) for frame in garbage],
            "garbage of our type": [changed(frame, 0, real[:18]) for frame in garbage],
            "replayed": [real],
            "forged, of epochs nobody has": [changed(newer(real), EPOCH_AT, chance.randbytes(8)) for _ in garbage],
        }
        for what, frames in floods.items():
            with self.subTest(flood=what):
                before, missed = self.picture(), self.missed("gwA")
                sent = self.play("gwA", "ha1", frames, FLOOD_S)
                self.assertEqual(self.picture(), before)
                status = self.lab["gwA"].status()
                print(f"    {what}: {sent / FLOOD_S / 1000:.0f} thousand frames/s, missed "
                      f"{self.missed('gwA') - missed}, worst timer lateness "
                      f"{status['frames']['worst_timer_lateness_us'] / 1000:.1f} ms")
                self.assertEqual(self.events("gwA", 211) + self.events("gwB", 211), [], "a peer was declared dead")

    def missed(self, gateway):
        return sum(p["missed"] for p in self.lab[gateway].status()["peers"])


if __name__ == "__main__":
    main()
