"""Content codings (RFC 9110, 8.4.1): which one a request asks for, and bodies in it."""
