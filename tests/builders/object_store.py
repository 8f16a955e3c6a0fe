"""An S3 server on loopback, and a proxy in front of it that cuts bodies short."""

import contextlib
import http.server
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from obstore.store import S3Store

#: the environment that a scan of this server needs, besides its endpoint
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}
# a proxy of the environment must not be used for loopback
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """Run moto's server in a process of its own; gives its endpoint."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=output,
            stderr=output,
        )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def make_bucket(endpoint: str, bucket: str) -> S3Store:
    """Make a bucket."""
    _OPENER.open(urllib.request.Request(f"{endpoint}/{bucket}", method="PUT"), timeout=30).close()
    return S3Store(
        bucket,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="tests",
        secret_access_key="tests",
        client_options={"allow_http": True},
    )


def upload(endpoint: str, bucket: str, prefix: str, folder: Path) -> S3Store:
    """Make a bucket with every file of a folder as an object."""
    store = make_bucket(endpoint, bucket)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = "/".join(part for part in (prefix, str(path.relative_to(folder))) if part)
            store.put(name, path.read_bytes())
    return store


@contextlib.contextmanager
def cutting_proxy(endpoint: str, mark: str) -> Iterator[str]:
    """Pass requests on, but send only half the body of objects with ``mark`` in their key."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
            wanted = urllib.request.Request(endpoint + self.path, headers=headers)
            with _OPENER.open(wanted, timeout=30) as answer:
                body = answer.read()
                self.send_response(answer.status)
                for key, value in answer.headers.items():
                    if key.lower() not in ("connection", "server", "date"):
                        self.send_header(key, value)
                self.end_headers()
            self.wfile.write(body[: len(body) // 2] if mark in self.path else body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
