"""The image's HEALTHCHECK: asks /healthz of the gateway that is process 1, on the port and scheme of its arguments."""

import ssl
import sys
import urllib.request
from pathlib import Path


def url_of(arguments: list[str]) -> str:
    """The URL to ask, for the arguments of `moorings serve`."""
    port = "8000"
    for number, argument in enumerate(arguments):
        if argument == "--port" and number + 1 < len(arguments):
            port = arguments[number + 1]
        elif argument.startswith("--port="):
            port = argument.removeprefix("--port=")
    is_tls = any(argument.partition("=")[0] == "--tls-cert" for argument in arguments)
    return f"{'https' if is_tls else 'http'}://127.0.0.1:{port}/healthz"


def main() -> None:
    """End with 0 when it answers 200."""
    arguments = Path("/proc/1/cmdline").read_bytes().decode().split("\0")
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE  # the name is not 127.0.0.1
    with urllib.request.urlopen(url_of(arguments), timeout=2, context=unverified) as response:  # noqa: S310
        sys.exit(response.status != 200)


if __name__ == "__main__":
    main()
