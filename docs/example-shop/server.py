"""An example of a shop's own server: its pages, and sessions for its visitors.

    export TOILE_API_KEY=toile_...      # secret, scope `design`; never leaves this process
    python docs/example-shop/server.py --key toile_pub_... --model demo

Then open http://localhost:8080. It needs nothing but Python. A visitor is known by a random cookie;
a real shop uses its own reference of the customer who is logged in.
"""

import argparse
import json
import os
import secrets
import urllib.error
import urllib.request
from functools import partial
from http.cookies import SimpleCookie
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COOKIE = "visitor"
HERE = Path(__file__).resolve().parent


class Shop(SimpleHTTPRequestHandler):
    """Serves the page, what it must know, and each visitor's session."""

    def __init__(self, *args: Any, settings: dict[str, Any], secret: str, **kwargs: Any) -> None:
        self._settings = settings
        self._secret = secret
        super().__init__(*args, directory=str(HERE), **kwargs)

    def do_GET(self) -> None:
        """Serve what is public."""
        if self.path == "/settings.json":
            self._answer(200, json.dumps(self._settings), "application/json")
        elif self.path in {"/", "/index.html", "/shop.js", "/shop.css"}:
            super().do_GET()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        """Ask Toile for a session of this visitor."""
        # Only this shop's own page may ask: another one's would ask in the visitor's name.
        if self.path != "/session" or self.headers.get("Sec-Fetch-Site", "same-origin") != (
            "same-origin"
        ):
            self.send_error(403)
            return
        visitor = self._visitor()
        asked = urllib.request.Request(  # noqa: S310 - the operator's own address
            f"{self._settings['toile']}/v1/shoppers/{visitor}/sessions",
            data=b"{}",
            headers={
                "Authorization": f"Bearer {self._secret}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - as above
                token = json.load(answer)["token"]
        except (urllib.error.URLError, TimeoutError) as error:
            self._answer(502, f"Toile gave no session: {error}", "text/plain")
            return
        cookie = f"{COOKIE}={visitor}; HttpOnly; SameSite=Lax; Max-Age=31536000"
        self._answer(200, token, "text/plain", cookie=cookie)

    def _visitor(self) -> str:
        found = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        told = "" if found is None else found.value
        return told if told.isalnum() else secrets.token_hex(12)

    def _answer(self, status: int, text: str, kind: str, *, cookie: str = "") -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toile", default="http://127.0.0.1:8000", help="where Toile is")
    parser.add_argument("--key", required=True, help="publishable key, toile_pub_...")
    parser.add_argument("--model", required=True, help="the model that designs")
    parser.add_argument("--count", type=int, default=4, help="designs shown at a time")
    parser.add_argument("--port", type=int, default=8080)
    asked = parser.parse_args()
    secret = os.environ["TOILE_API_KEY"]  # noqa: TID251 - a program of its own, not of Toile
    settings = {"toile": asked.toile.rstrip("/"), "key": asked.key, "model": asked.model}
    shop = partial(Shop, settings={**settings, "count": asked.count}, secret=secret)
    with ThreadingHTTPServer(("127.0.0.1", asked.port), shop) as server:
        print(f"The shop is open at http://localhost:{server.server_port}", flush=True)  # noqa: T201 - what it is for
        server.serve_forever()


if __name__ == "__main__":
    main()
