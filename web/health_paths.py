"""What machines ask all the time: probes and monitoring, by the address, during an overload, and untraced."""

from __future__ import annotations

HEALTH_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
