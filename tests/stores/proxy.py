"""Stands between a client and a store: loses the answer to a request that was carried out, or refuses some at first."""

import threading
from collections import Counter
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self):
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with server.lock:
            server.asked += 1
            refused = server.refuse_each and server.asked % server.refuse_each == 0
            server.refused += bool(refused)
        if refused:
            self.send_error(503)
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


@contextmanager
def between(store_port, port, *, lose="no path", refuse_each=0):
    """A proxy that loses the answer to the first PUT of a path with this mark, and refuses each n-th request.

    `lost`, `seen` (requests so marked), `asked` and `refused` count; `sent` has bytes of answers by method and path.
    """
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.store_port, server.marked, server.refuse_each = store_port, lose, refuse_each
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
