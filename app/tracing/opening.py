"""Whether requests are traced, and by what: decided by OpenTelemetry's own variables, without which nothing is made."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from app.settings import SettingsRefused, traces_wanted

if TYPE_CHECKING:
    from app.tracing.sdk import SdkTracer


_WANTED = (
    "OTEL_EXPORTER_OTLP_ENDPOINT needs the OpenTelemetry SDK: install Moorings with its extra otel, or set "
    "OTEL_SDK_DISABLED=true."
)


def check_tracer() -> None:
    """Raise `SettingsRefused` before anything is started, as `open_tracer` would in each worker."""
    if traces_wanted() and find_spec("opentelemetry") is None:
        raise SettingsRefused(_WANTED)


def open_tracer() -> SdkTracer | None:
    """What exports the traces of this process; None where no collector is named.

    Raises `SettingsRefused` for what the variables ask for and this installation does not have.
    """
    if not traces_wanted():
        return None
    try:
        from app.tracing.sdk import SdkTracer
    except ImportError:
        raise SettingsRefused(_WANTED) from None
    try:
        return SdkTracer()
    except (ValueError, OSError) as error:  # of the SDK, for a variable of its own; its text may repeat the value
        raise SettingsRefused(
            f"The OTEL_… variables cannot be used ({type(error).__name__}): see OpenTelemetry's description of them."
        ) from error
