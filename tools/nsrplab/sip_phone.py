# SPDX-License-Identifier: Apache-2.0
"""As much of a telephone as a gateway's SIP helper looks at (RFC 3261, RFC 4566): an INVITE that says where its media
are awaited, and datagrams to there.

    python3 sip_phone.py ADDRESS       then on standard input, each answered by one line:
        invite ADDRESS                 calls: "called"
        answer                         waits for a call: "media ADDRESS PORT", where the caller awaits its media
        send ADDRESS PORT              a datagram of media: "sent"
        hear                           waits a second for media: "heard" or "silence"
"""
import re
import socket
import sys

SIGNAL_PORT, MEDIA_PORT = 5060, 4000
TIMEOUT_S = 30


class Phone:
    def __init__(self, address):
        self.address = address
        self.signals, self.media = self.bound(SIGNAL_PORT), self.bound(MEDIA_PORT)

    def bound(self, port):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((self.address, port))
        sock.settimeout(TIMEOUT_S)
        return sock

    def invite(self, to):
        session = "\r\n".join([
            "v=0", f"o=- 1 1 IN IP4 {self.address}", "s=-", f"c=IN IP4 {self.address}", "t=0 0",
            f"m=audio {MEDIA_PORT} RTP/AVP 0", ""])
        call = "\r\n".join([
            f"INVITE sip:callee@{to} SIP/2.0", f"Via: SIP/2.0/UDP {self.address}:{SIGNAL_PORT};branch=z9hG4bK1",
            f"From: <sip:caller@{self.address}>;tag=1", f"To: <sip:callee@{to}>", f"Call-ID: 1@{self.address}",
            "CSeq: 1 INVITE", f"Contact: <sip:caller@{self.address}:{SIGNAL_PORT}>", "Max-Forwards: 70",
            "Content-Type: application/sdp", f"Content-Length: {len(session)}", "", session])
        self.signals.sendto(call.encode(), (to, SIGNAL_PORT))
        return "called"

    def answer(self):
        call = self.signals.recv(65536).decode()
        address = re.search(r"^c=IN IP4 (\S+)", call, re.MULTILINE)[1]
        return f"media {address} {re.search(r'^m=audio ([0-9]+)', call, re.MULTILINE)[1]}"

    def send(self, address, port):
        self.media.sendto(b"media", (address, int(port)))
        return "sent"

    def hear(self):
        self.media.settimeout(1)
        try:
            return "heard" if self.media.recv(65536) == b"media" else "noise"
        except TimeoutError:
            return "silence"


def main(address):
    phone = Phone(address)
    print("ready", flush=True)
    for line in sys.stdin:
        word, *arguments = line.split()
        print(getattr(phone, word)(*arguments), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
