"""A web server in this process that serves a file in many ways, most of them wrong."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 2000
HALF = len(CONTENT) // 2


class Handler(BaseHTTPRequestHandler):
    """Serves `server.files` the way that the first folder of the path says."""

    server: "Server"

    def do_GET(self) -> None:
        _, way, name = self.path.split("/")
        asked = self.headers["Range"]
        self.server.requests.append((way, asked))
        content = self.server.files.get(name, b"")
        if way == "wrong":
            content = bytes(len(content))
        if way == "page":
            content = b"<html>Please log in.</html>"
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if way == "whole":
            start = 0
        if way == "missing":
            self.send_error(404)
        elif start >= len(content):
            self.send_error(416)
        else:
            self.send(content, start, way)

    def send(self, content: bytes, start: int, way: str) -> None:
        self.send_response(206 if start else 200)
        rest = content[start:]
        if way == "chunked":
            # The first of several chunks, and then nothing.
            self.send_header("Transfer-Encoding", "chunked")
            rest = f"{len(content):x}\r\n".encode() + rest[: len(rest) // 2]
        elif way != "unsized":
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if way == "slow":
            self.wfile.write(rest[:HALF])
            self.server.go_on.wait()
            rest = rest[HALF:]
        self.wfile.write(rest[: len(rest) // 2] if way in ("cut", "unsized") else rest)

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Keeps what was asked of it: the way and the range."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"numbers.bin": CONTENT}
        self.requests: list[tuple[str, str | None]] = []
        self.go_on = threading.Event()

    def url(self, way: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{way}/numbers.bin"


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs inside the block."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
