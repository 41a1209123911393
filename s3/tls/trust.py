"""The authorities that are trusted for one target, beside those of the prober."""

from __future__ import annotations

import ssl


def trusting(certificates: str) -> ssl.SSLContext:
    """A client that trusts these certificates (PEM) and no others: authorities, intermediate ones, or a store's own.

    Names, dates and signatures are verified as ever. Raises `ssl.SSLError` for a text that holds none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificates)
    # OpenSSL wants a chain to end at a root otherwise; here what the user gave is the end of it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
