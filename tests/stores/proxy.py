"""Stands between a client and a store: loses the answer to a request that was carried out, or refuses some."""

import socket
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self):
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with server.lock:
            server.asked += 1
            refused = server.refuse_each and server.asked % server.refuse_each == 0
            server.refused += bool(refused)
        if refused or (self.command == "GET" and server.forbidden in self.path):
            self.send_error(503 if refused else 403)
            return
        store = HTTPConnection("127.0.0.1", server.store_port)
        # The host is signed, so it stays as the client sent it.
        store.request(self.command, self.path, body, dict(self.headers))
        answer = store.getresponse()
        content = answer.read()
        store.close()
        with server.lock:
            lose = self.command == "PUT" and server.marked in self.path and not server.lost
            server.lost += lose
            server.seen += self.command == "PUT" and server.marked in self.path
            server.sent[self.command, self.path] += len(content)
        if lose:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length", "date", "server"}:
                self.send_header(name, value)
        size = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", size or "0")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass_on  # noqa: N815 - named so by the library

    def log_message(self, *_):
        pass


class Proxy(ThreadingHTTPServer):
    """A server that passes on; what it counts is in `between`."""

    def got(self, folder):
        """Bytes that were got of each object below a folder of the store, by the rest of its path."""
        paths = {unquote(urlsplit(path).path): size for (method, path), size in self.sent.items() if method == "GET"}
        below = f"{folder}/"
        return {f"/{path.partition(below)[2]}": size for path, size in paths.items() if path.partition(below)[2]}


@contextmanager
def between(store_port, port, *, lose="no path", forbid="no path", refuse_each=0):
    """A proxy that loses the answer to the first PUT of a marked path, forbids GETs, and refuses each n-th request.

    `lost`, `seen` (requests so marked), `asked` and `refused` count; `sent` has bytes of answers by method and path.
    """
    server = Proxy(("127.0.0.1", port), _Handler)
    server.store_port, server.marked, server.forbidden, server.refuse_each = store_port, lose, forbid, refuse_each
    server.sent = Counter()
    server.lost = server.seen = server.asked = server.refused = 0
    server.lock = threading.Lock()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def counting(store_port, port):
    """A line to a store that counts the bytes that come through it from there, `came`, and changes none."""
    came, ends = [0], []

    def carry(source, target, told):
        with suppress(OSError):
            while data := source.recv(1 << 20):
                told[0] += len(data)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def accept():
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                store = socket.create_connection(("127.0.0.1", store_port))
                ends.extend((client, store))
                for one in ((client, store, [0]), (store, client, came)):
                    threading.Thread(target=carry, args=one, daemon=True).start()

    with socket.create_server(("127.0.0.1", port)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield came
        listener.shutdown(socket.SHUT_RDWR)
    for end in ends:
        end.close()
