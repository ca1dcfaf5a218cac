"""A real HTTP server on this machine that can be made to fail in many ways."""

import gzip
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 4000
"""A megabyte."""
CUT = 300_000


class Handler(BaseHTTPRequestHandler):
    """Answer as the first part of the path says; the server counts and remembers."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Be silent."""

    def do_GET(self):
        """Answer a request."""
        how = self.path.strip("/").split("/")[0]
        with self.server.lock:
            self.server.seen.append((how, dict(self.headers)))
            times = sum(h == how for h, _ in self.server.seen)
        self.close_connection = True
        getattr(self, f"do_{how}")(times)

    def answer(self, code, content=b"", **headers):
        """Send an answer; a header that is None is left out."""
        self.send_response(code)
        told = {"Content-Length": len(content), "Content-Type": "application/x"}
        told["Connection"] = "close"  # as it will be: no client may build on it
        for key, value in (
            told | {k.replace("_", "-"): v for k, v in headers.items()}
        ).items():
            if value is not None:
                self.send_header(key, str(value))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(content)

    def ranged(self, content=CONTENT, tag='"one"', stop=None):
        """Send what is asked for, or all; perhaps cut."""
        asked = self.headers.get("Range")
        fits = self.headers.get("If-Range") in (None, tag)
        more = {"ETag": tag}
        if asked and fits:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.answer(416, Content_Range=f"bytes */{len(content)}", **more)
                return
            body, code = content[start:], 206
            more["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        else:
            body, code = content, 200
        self.answer(code, body[:stop], Content_Length=len(body), **more)

    def do_good(self, times):
        self.ranged()

    def do_own(self, times):
        self.ranged(self.server.content)

    def do_slow(self, times):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.send_header("ETag", '"one"')
        self.end_headers()
        self.wfile.write(CONTENT[:CUT])
        self.wfile.flush()
        self.server.halted.set()
        self.server.go_on.wait(20)

    def do_cut(self, times):
        self.ranged(stop=CUT)

    def do_cutplain(self, times):
        if times < 3:
            self.answer(200, CONTENT[:CUT], Content_Length=len(CONTENT))
        else:
            self.answer(200, CONTENT)

    def do_changed(self, times):
        if times == 1:
            self.ranged(b"x" * len(CONTENT), tag='"old"', stop=CUT)
        else:
            self.ranged()

    def do_liar(self, times):
        """Another part than asked for."""
        if self.headers.get("Range") and times < 3:
            self.answer(206, CONTENT[5:], Content_Range="bytes 5-9/10", ETag='"one"')
        else:
            self.ranged(stop=CUT if times == 1 else None)

    def do_short(self, times):
        """Less than there is, declared as if it were all."""
        self.answer(200, CONTENT[:CUT])

    def do_unsized(self, times):
        self.answer(200, CONTENT, Content_Length=None, Connection="close")

    def do_chunked(self, times):
        """Of unknown length, in chunks; cut at first."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(CONTENT), CUT):
            block = CONTENT[start : start + CUT]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
            if times == 1:
                return
        self.wfile.write(b"0\r\n\r\n")

    def do_busy(self, times):
        if times < 3:
            self.answer(503, b"later", Retry_After="0")
        else:
            self.ranged()

    def do_missing(self, times):
        self.answer(404, b"nothing")

    def do_locked(self, times):
        self.answer(403, b"no")

    def do_broken(self, times):
        self.answer(500, b"oops")

    def do_page(self, times):
        self.answer(200, b"<html>log in</html>", Content_Type="text/html; charset=x")

    def do_moved(self, times):
        self.answer(302, Location="/good/file")

    def do_circle(self, times):
        self.answer(302, Location="/circle/file")

    def do_away(self, times):
        self.answer(302, Location="http://example.org/file")

    def do_silent(self, times):
        time.sleep(1.0)

    def drip(self, content):
        """Send a byte at a time, for ever as far as anybody waits."""
        with suppress(OSError):
            for byte in content * 100_000:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.server.go_on.wait(0.01):
                    return

    def do_drip(self, times):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.drip(b"x")

    def do_driphead(self, times):
        self.drip(b"HTTP/1.1 200 OK")

    def do_huge(self, times):
        self.answer(200, b"x", Content_Length="9" * 18)

    def do_strange(self, times):
        """A length that Python takes for digits, and for no number."""
        self.answer(200, CONTENT, Content_Length="\xb2", Retry_After="\xb2")

    def do_later(self, times):
        if times == 1:
            self.answer(503, b"later", Retry_After="\xb2")
        else:
            self.ranged()

    def do_local(self, times):
        self.answer(302, Location="file:///etc/passwd")

    def do_packed(self, times):
        """Compressed though nobody asked for it; cut at first."""
        packed = gzip.compress(CONTENT)
        self.answer(200, packed[: None if times > 1 else -20], Content_Encoding="gzip")

    def do_bomb(self, times):
        packed = gzip.compress(bytes(20 << 20))
        self.answer(200, packed, Content_Encoding="gzip")

    def do_brotli(self, times):
        self.answer(200, b"x", Content_Encoding="br")

    def do_tail(self, times):
        """A part, though all was asked for."""
        self.answer(
            206, CONTENT[:CUT], Content_Range=f"bytes 0-{CUT - 1}/{len(CONTENT)}"
        )

    def do_empty(self, times):
        self.connection.close()


class Server(ThreadingHTTPServer):
    """The server; what it was asked is in ``seen``."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        self.lock = threading.Lock()
        self.halted, self.go_on = threading.Event(), threading.Event()

    def handle_error(self, *_):
        """Be silent when a client goes away."""

    def url(self, how):
        """Return the address that fails in a way."""
        return f"http://127.0.0.1:{self.server_port}/{how}/file"

    def ranges(self, how):
        """Return the ranges that were asked for, in order."""
        return [headers.get("Range") for h, headers in self.seen if h == how]


@contextmanager
def serving():
    """Serve in a thread of its own."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
