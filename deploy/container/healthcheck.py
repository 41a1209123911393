"""The image's HEALTHCHECK: asks /healthz of the gateway that is process 1, on the port that it listens on.

Another path may be given: `healthcheck.py /readyz` asks whether it would answer requests.
"""

import ssl
import sys
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

LISTENS = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def ports_of(pid: int) -> set[int]:
    """The TCP ports that a process listens on."""
    process = Path(f"/proc/{pid}")
    sockets = {str(link.readlink()) for link in (process / "fd").iterdir() if link.is_symlink()}
    found = set[int]()
    for table in ("tcp", "tcp6"):
        for line in (process / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS and f"socket:[{fields[9]}]" in sockets:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def is_healthy(port: int, path: str) -> bool:
    """Whether the path is answered 200 there, over HTTP or HTTPS."""
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE  # the name is not 127.0.0.1
    for scheme in ("http", "https"):
        url = f"{scheme}://127.0.0.1:{port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=1, context=unverified) as response:  # noqa: S310
                return bool(response.status == 200)
        except (OSError, HTTPException) as error:
            # One that is still starting accepts connections and says nothing; one that answers speaks HTTP.
            if isinstance(error, TimeoutError | HTTPError) or isinstance(getattr(error, "reason", None), TimeoutError):
                return False
    return False


if __name__ == "__main__":
    asked = sys.argv[1] if len(sys.argv) > 1 else "/healthz"
    sys.exit(not any(is_healthy(port, asked) for port in ports_of(1)))
