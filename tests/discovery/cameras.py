"""Cameras that answer: a real UDP responder on loopback's multicast, and a real HTTP server with ONVIF's services."""

import base64
import hashlib
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = "127.0.0.1"
SOAP = "http://www.w3.org/2003/05/soap-envelope"


ACTIONS = {
    "GetSystemDateAndTime": "time",
    "GetCapabilities": "capabilities",
    "GetProfiles": "profiles",
    "GetStreamUri": "stream_uri",
}


@dataclass
class Device:
    """What one camera is and says."""

    name: str = "North gate"
    password: str | None = None
    year: int = 2031
    broken: dict[str, bytes] = field(default_factory=dict)  # by request, what it answers instead
    asked: list[str] = field(default_factory=list)

    def answer(self, request: str, own: str) -> tuple[int, bytes]:
        action = re.search(r"<(Get\w+)", request)[1]
        self.asked.append(action)
        if action in self.broken:
            return 200, self.broken[action]
        if action != "GetSystemDateAndTime" and self.password is not None and not self._knows(request):
            return 400, soap("<s:Fault><s:Code><s:Value>ter:NotAuthorized</s:Value></s:Code></s:Fault>")
        return 200, soap(getattr(self, ACTIONS[action])(request, own))

    def _knows(self, request: str) -> bool:
        found = [re.search(rf"<\w+:{name}[^>]*>([^<]*)<", request) for name in ("Password", "Nonce", "Created")]
        if not all(found):
            return False
        digest, nonce, created = (match[1] for match in found)
        expected = hashlib.sha1(base64.b64decode(nonce) + created.encode() + self.password.encode()).digest()
        return created.startswith(str(self.year)) and base64.b64decode(digest) == expected

    def time(self, _request: str, _own: str) -> str:
        time = "<Time><Hour>5</Hour><Minute>6</Minute><Second>7</Second></Time>"
        date = f"<Date><Year>{self.year}</Year><Month>2</Month><Day>3</Day></Date>"
        return f"<r><UTCDateTime>{time}{date}</UTCDateTime></r>"

    def capabilities(self, _request: str, own: str) -> str:
        return f"<r><Capabilities><Media><XAddr>{own}/onvif/media</XAddr></Media></Capabilities></r>"

    def profiles(self, _request: str, _own: str) -> str:
        def profile(token: str, width: int, height: int) -> str:
            size = f"<Resolution><Width>{width}</Width><Height>{height}</Height></Resolution>"
            rate = "<RateControl><FrameRateLimit>25</FrameRateLimit></RateControl>"
            encoder = f"<VideoEncoderConfiguration><Encoding>H264</Encoding>{size}{rate}</VideoEncoderConfiguration>"
            return f'<Profiles token="{token}"><Name>{token} stream</Name>{encoder}</Profiles>'

        return f"<r>{profile('sub', 640, 480)}{profile('main', 1920, 1080)}</r>"

    def stream_uri(self, request: str, _own: str) -> str:
        token = re.search(r"<ProfileToken>(\w+)<", request)[1]
        return f"<r><MediaUri><Uri>rtsp://admin:secret@{LOOPBACK}:554/{token}?a=1&amp;b=2</Uri></MediaUri></r>"


def soap(body: str) -> bytes:
    return f'<?xml version="1.0"?><s:Envelope xmlns:s="{SOAP}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


@contextmanager
def serving(device: Device) -> Iterator[str]:
    """Serve a camera's HTTP side; gives the address of its device service."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"])).decode()
            code, answer = device.answer(request, f"http://{LOOPBACK}:{self.server.server_port}")
            self.send_response(code)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/onvif/device_service"
    finally:
        server.shutdown()
        server.server_close()


def match(device: str, name: str, services: str) -> str:
    """One device in an answer to a probe."""
    scopes = f"onvif://www.onvif.org/name/{name} onvif://www.onvif.org/hardware/HG-1"
    reference = f"<EndpointReference><Address>{device}</Address></EndpointReference>"
    return f"<ProbeMatch>{reference}<Scopes>{scopes}</Scopes><XAddrs>{services}</XAddrs></ProbeMatch>"


@contextmanager
def responding(answers: list[str | bytes], port: int) -> Iterator[None]:
    """Answer probes on loopback's multicast: with matches as text, or with bytes as they are."""
    ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ours.bind(("239.255.255.250", port))
    membership = struct.pack("4s4s", socket.inet_aton("239.255.255.250"), socket.inet_aton(LOOPBACK))
    ours.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    ours.settimeout(0.05)
    stop = threading.Event()

    def respond() -> None:
        while not stop.is_set():
            try:
                probe, sender = ours.recvfrom(65536)
            except TimeoutError:
                continue
            message_id = re.search(rb"MessageID[^>]*>([^<]+)<", probe)[1].decode()
            assert b"NetworkVideoTransmitter" in probe
            for answer in answers:
                relates = f"<RelatesTo>{message_id}</RelatesTo>"
                text = (
                    f'<s:Envelope xmlns:s="{SOAP}"><s:Header>{relates}</s:Header><s:Body>{answer}</s:Body></s:Envelope>'
                )
                ours.sendto(answer if isinstance(answer, bytes) else text.encode(), sender)

    thread = threading.Thread(target=respond, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(5)
        ours.close()
