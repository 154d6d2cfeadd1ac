# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""A tap on a pod's wire: tcpdump in its network namespace, and HTTP exchanges read from what it wrote."""

import dataclasses
import pathlib
import struct
import subprocess
import tempfile

from lib import pods
from lib.shell import wait_until

MAGIC_NANOSECONDS = 0xA1B23C4D  # of a pcap file, in the byte order of who wrote it
FILE_HEADER = struct.Struct("=IHHiIII")
PACKET_HEADER = struct.Struct("=IIII")
ETHERNET, IPV4_TYPE, TCP = 14, 0x0800, 6
BYTES = 192  # kept of each packet: its headers and the request line
STOP_SECONDS = 10


@dataclasses.dataclass
class Segment:
    """A TCP segment with payload; time in ns."""

    time: int
    source: int
    destination: int
    sequence: int
    size: int
    payload: bytes  # what was kept of it


def segment(time, frame):
    """The segment in an Ethernet frame over IPv4 (RFC 791, RFC 9293); None where there is none."""
    if len(frame) < ETHERNET + 40 or int.from_bytes(frame[12:14], "big") != IPV4_TYPE:
        return None
    packet = frame[ETHERNET:]
    head, total = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
    if packet[9] != TCP:
        return None
    source, destination, sequence = struct.unpack_from("!HHI", packet, head)
    start = head + (packet[head + 12] >> 4) * 4
    return Segment(time, source, destination, sequence, total - start, packet[start:total])


def segments(capture):
    """Those with payload in the bytes of a pcap file, which may end in the middle of a packet."""
    if len(capture) < FILE_HEADER.size:
        return
    magic, _, _, _, _, _, link = FILE_HEADER.unpack_from(capture)
    assert magic == MAGIC_NANOSECONDS and link == 1, f"magic {magic:#x}, link type {link}"
    at = FILE_HEADER.size
    while at + PACKET_HEADER.size <= len(capture):
        seconds, ns, size, _ = PACKET_HEADER.unpack_from(capture, at)
        at += PACKET_HEADER.size
        found = segment(seconds * 10**9 + ns, capture[at : at + size])
        if found and found.size > 0 and at + size <= len(capture):
            yield found
        at += size


class Exchange:
    """A request and its response as they passed."""

    def __init__(self, first):
        self.path = first.payload.split(b" ", 2)[1].decode()
        self.began = first.time
        self.ended = None  # while nothing of the response has passed

    @property
    def seconds(self):
        return (self.ended - self.began) / 1e9


def exchanges(capture, port):
    """Those with a server's port, one after the other on each connection, the last ones too."""
    found, present, seen = [], {}, {}
    for part in segments(capture):
        asked = part.destination == port
        client = part.source if asked else part.destination
        end = part.sequence + part.size
        if end <= seen.get((client, asked), 0):
            continue  # sent again
        seen[client, asked] = end
        exchange = present.get(client)
        if asked and (exchange is None or exchange.ended):
            present[client] = Exchange(part)
            found.append(present[client])
        elif not asked and exchange:
            exchange.ended = part.time
    return [exchange for exchange in found if exchange.ended]


class Tap:
    """Listens from now on, at a server's port, until the test ends. For clients that do not pipeline."""

    def __init__(self, test, shown, program, port):
        folder = tempfile.TemporaryDirectory(prefix="skep-tap-")
        test.addCleanup(folder.cleanup)
        self.port = port
        self.file = pathlib.Path(folder.name) / "pcap"
        process = pods.processes(shown, program)[0]
        command = ["nsenter", "-t", str(process), "-n", "tcpdump", "-Z", "root", "-i", "eth0", "-n"]
        command += ["-U", "--immediate-mode", "--time-stamp-precision=nano", "-s", str(BYTES)]
        command += ["-w", str(self.file), "tcp", "port", str(port)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        test.addCleanup(self.stop)
        wait_until("tcpdump listens", lambda: self.file.exists() and self.file.stat().st_size)

    def stop(self):
        self.process.terminate()
        self.process.wait(STOP_SECONDS)

    def exchanges(self):
        return exchanges(self.file.read_bytes(), self.port)

    def wait_exchanges(self, number):
        """All so far, as soon as they are so many."""

        def enough():
            found = self.exchanges()
            return found if len(found) >= number else None

        return wait_until(f"{number} exchanges on the wire", enough)
