# SPDX-License-Identifier: Apache-2.0
"""GET /N gives N times "x", POST gives the body back; GET /mtu: what the
interface takes."""
import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/mtu":
            with open("/sys/class/net/eth0/mtu", "rb") as f:
                self.answer(f.read())
        else:
            self.answer(b"x" * int(self.path[1:]))

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))


s = http.server.ThreadingHTTPServer(("", 8000), Handler)
print("listening", flush=True)
s.serve_forever()
