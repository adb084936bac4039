"""A stand-in for Prometheus: answers query_range as its HTTP API documents it, with what a test says per query."""
from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Prometheus:
    """values maps a query to a number, a list, None (no data) or bytes (sent as they are); asked lists the requests."""

    def __init__(self) -> None:
        self.values, self.asked, self.status = {}, [], 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                split = urlsplit(self.path)
                words = {name: found[0] for name, found in parse_qs(split.query).items()}
                outer.asked.append((split.path, words))
                value = outer.values.get(words.get("query"))
                if isinstance(value, bytes):
                    body = value
                else:
                    numbers = [] if value is None else value if isinstance(value, list) else [value]
                    pairs = [[float(words["start"]) + n, str(number)] for n, number in enumerate(numbers)]
                    result = [{"metric": {}, "values": pairs}] if pairs else []
                    body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(5)
