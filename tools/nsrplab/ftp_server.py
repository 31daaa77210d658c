# SPDX-License-Identifier: Apache-2.0
"""A server of FTP (RFC 959, RFC 2428) with files of every size, sent slowly: `RETR 100000` takes a while.

    python3 ftp_server.py ADDRESS PORT
"""
import socket
import socketserver
import sys
import time

CHUNK = 4096
PAUSE_S = 0.05


def pattern(size):
    return bytes(i * 31 % 251 for i in range(size))


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.listener = self.active_to = None
        self.say("220 ready")
        for line in self.rfile:
            word, _, argument = line.decode().strip().partition(" ")
            getattr(self, "do_" + word.lower(), self.refuse)(argument)
            if word == "QUIT":
                return

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def refuse(self, _):
        self.say("502 not here")

    def do_user(self, _):
        self.say("230 welcome")

    def do_type(self, _):
        self.say("200 as you like")

    def do_quit(self, _):
        self.say("221 goodbye")

    def listen(self):
        self.active_to = None
        self.listener = socket.create_server((self.request.getsockname()[0], 0), family=self.request.family)
        return self.listener.getsockname()[1]

    def do_pasv(self, _):
        port = self.listen()
        address = self.request.getsockname()[0].replace(".", ",")
        self.say(f"227 entering passive mode ({address},{port >> 8},{port & 255})")

    def do_epsv(self, _):
        self.say(f"229 entering extended passive mode (|||{self.listen()}|)")

    def do_port(self, argument):
        words = argument.split(",")
        self.active_to = (".".join(words[:4]), int(words[4]) << 8 | int(words[5]))
        self.say("200 shall connect there")

    def do_eprt(self, argument):
        _, address, port, _ = argument[1:].split("|")
        self.active_to = (address, int(port))
        self.say("200 shall connect there")

    def open_data(self):
        if self.active_to:
            return socket.create_connection(self.active_to, timeout=30)
        self.listener.settimeout(30)
        with self.listener:
            return self.listener.accept()[0]

    def do_retr(self, argument):
        self.say("150 here it comes")
        data = pattern(int(argument))
        try:
            with self.open_data() as connection:
                for at in range(0, len(data), CHUNK):
                    connection.sendall(data[at:at + CHUNK])
                    time.sleep(PAUSE_S)
        except OSError as error:
            return self.say(f"425 no data connection: {error}")
        return self.say("226 all sent")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main(address, port):
    Server.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
    Server((address, port), Session).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
