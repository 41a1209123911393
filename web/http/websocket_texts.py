"""Several WebSocket messages in one ASGI message: one write for all of them.

ASGI sends each message by itself, and each is a system call. A server that lists `TEXTS` in `scope["extensions"]` takes
`{"type": "websocket.send", TEXTS: texts}`, each of the texts as the bytes of a message of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

TEXTS = "moorings.texts"
_FINAL_TEXT = 0x81


def text_frames(texts: Iterable[bytes]) -> bytes:
    """Unmasked, unfragmented text frames (RFC 6455, 5.2), for a connection without extensions."""
    parts: list[bytes] = []
    for text in texts:
        length = len(text)
        if length < 126:
            parts.append(bytes((_FINAL_TEXT, length)))
        elif length < 65_536:
            parts.append(bytes((_FINAL_TEXT, 126)) + length.to_bytes(2))
        else:
            parts.append(bytes((_FINAL_TEXT, 127)) + length.to_bytes(8))
        parts.append(text)
    return b"".join(parts)
