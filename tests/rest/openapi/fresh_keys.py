"""A hook of schemathesis: every valid case has an Idempotency-Key of its own.

Schemathesis repeats one key with other bodies; the gateway refuses that, as it should, and a document cannot say so of
single requests. A case that is to be refused stays as it is: a changed one counts as valid from then on.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import schemathesis

from web.http.idempotency_key import HEADER


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Replace the key."""
    if HEADER in case.headers and (case.meta is None or case.meta.generation.mode.is_positive):
        case.headers[HEADER] = uuid4().hex
