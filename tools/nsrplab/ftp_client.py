# SPDX-License-Identifier: Apache-2.0
"""A client of FTP that goes on when it is told to, so that a test can do something between two steps.

    python3 ftp_client.py ADDRESS PORT       then on standard input, each answered by one line:
        passive | active     asks for a data connection (PASV, EPSV; PORT, EPRT): "asked"
        fetch SIZE           opens it and asks for a file: "flowing" with the first data, "fetched" when all is right
"""
import ftplib
import socket
import sys

from ftp_server import pattern

TIMEOUT_S = 60


class Client:
    def __init__(self, address, port):
        self.ftp = ftplib.FTP(timeout=TIMEOUT_S)
        self.ftp.connect(address, port)
        self.ftp.sendcmd("USER anonymous")
        self.ftp.voidcmd("TYPE I")
        self.listener = self.data_at = None

    def passive(self):
        self.data_at, self.listener = self.ftp.makepasv(), None
        return "asked"

    def active(self):
        self.data_at, self.listener = None, self.ftp.makeport()
        return "asked"

    def open_data(self, size):
        if self.data_at:
            connection = socket.create_connection(self.data_at, TIMEOUT_S)
            self.ftp.sendcmd(f"RETR {size}")
            return connection
        self.ftp.sendcmd(f"RETR {size}")
        self.listener.settimeout(TIMEOUT_S)
        with self.listener:
            return self.listener.accept()[0]

    def fetch(self, size):
        received = bytearray()
        with self.open_data(size) as connection:
            connection.settimeout(TIMEOUT_S)
            while chunk := connection.recv(65536):
                if not received:
                    print("flowing", flush=True)
                received += chunk
        if bytes(received) != pattern(size):
            return f"wrong data: {len(received)} of {size} bytes"
        return "fetched" if self.ftp.voidresp().startswith("226") else "not confirmed"


def main(address, port):
    client = Client(address, port)
    print("connected", flush=True)
    for line in sys.stdin:
        word, *arguments = line.split()
        print(getattr(client, word)(*map(int, arguments)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
