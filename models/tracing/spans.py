"""The span that the running task belongs to, and spans inside it; without one, nothing is traced and nothing is made.

What makes and exports spans is given by the application (`Tracer`). Names and attributes are those of OpenTelemetry's
semantic conventions where it has some; none holds a secret, a value of a statement or a body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Protocol

from models.outage import cause_of

Value = str | int | float | bool
Attributes = Mapping[str, Value]
NO_ATTRIBUTES: Attributes = {}


class Span(Protocol):
    """A part of a trace, from its beginning until `end`."""

    @property
    def is_ended(self) -> bool:
        """Whether it has ended: nothing that still runs in it is traced."""
        ...

    def child(self, name: str, attributes: Attributes = NO_ATTRIBUTES, *, kind: str = "internal") -> Span:
        """Begin a span inside this one; `kind` is `internal`, `client` or `server`."""
        ...

    def rename(self, name: str) -> None:
        """Give it another name; after the end nothing happens."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes, or replace those of the same names; after the end nothing happens."""

    def fail(self, error_type: str) -> None:
        """Mark it as failed; `error_type` is a class or a code, never a text with values in it."""

    def end(self) -> None:
        """End it; a second time nothing happens."""


class Tracer(Protocol):
    """Makes the first spans of this process in a trace."""

    def start(
        self, name: str, attributes: Attributes, *, kind: str, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> Span | None:
        """Begin a span, inside the one that the `traceparent` among the headers names; None when it is not sampled."""
        ...


_CURRENT: ContextVar[Span | None] = ContextVar("span", default=None)


def current_span() -> Span | None:
    """The span that the running task belongs to; None where nothing is traced."""
    span = _CURRENT.get()
    return None if span is None or span.is_ended else span


@contextmanager
def within(span: Span | None) -> Iterator[None]:
    """Run in a span; with None, in none."""
    token = _CURRENT.set(span)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def context_within(span: Span | None) -> Context:
    """A copy of the running context whose span is another."""
    context = copy_context()
    context.run(_CURRENT.set, span)
    return context


@contextmanager
def measured(
    name: str, attributes: Attributes | Callable[[], Attributes] = NO_ATTRIBUTES, *, kind: str = "internal"
) -> Iterator[Span | None]:
    """Run in a span of its own inside the current one, which has failed if the context is left by an exception.

    Without a current one nothing happens; a function for the attributes is not called then.
    """
    parent = current_span()
    if parent is None:
        yield None
        return
    with ending(parent.child(name, attributes() if callable(attributes) else attributes, kind=kind)) as span:
        yield span


@contextmanager
def ending(span: Span | None) -> Iterator[Span | None]:
    """Run in a span, and end it with the context; without one nothing happens."""
    if span is None:
        yield None
        return
    token = _CURRENT.set(span)
    try:
        yield span
    except BaseException as error:
        span.fail(cause_of(error))
        raise
    finally:
        _CURRENT.reset(token)
        span.end()


class JointSpan:
    """The spans of several requests that are answered together: what is begun inside is begun in each of them."""

    __slots__ = ("_spans",)

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans

    @property
    def is_ended(self) -> bool:
        """Whether all have."""
        return all(span.is_ended for span in self._spans)

    def child(self, name: str, attributes: Attributes = NO_ATTRIBUTES, *, kind: str = "internal") -> Span:
        """One for each."""
        return JointSpan([span.child(name, attributes, kind=kind) for span in self._spans])

    def rename(self, name: str) -> None:
        """Each."""
        for span in self._spans:
            span.rename(name)

    def set(self, attributes: Attributes) -> None:
        """Of each."""
        for span in self._spans:
            span.set(attributes)

    def fail(self, error_type: str) -> None:
        """Mark each."""
        for span in self._spans:
            span.fail(error_type)

    def end(self) -> None:
        """End each."""
        for span in self._spans:
            span.end()


def joint(spans: Sequence[Span]) -> Span | None:
    """One span that stands for these; None for none."""
    if not spans:
        return None
    return spans[0] if len(spans) == 1 else JointSpan(spans)
