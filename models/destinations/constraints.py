"""The check constraint on the shape of a row, derived from the table of attributes: what each kind must have."""

from __future__ import annotations

from models.destinations.attributes import ATTRIBUTES, KINDS, Attribute, DestinationKind, ValueType


def shape() -> str:
    """The SQL of the constraint. A check that is NULL passes in SQL, hence the outer coalesce."""
    cases = " ".join(f"WHEN '{kind.value}' THEN {_shape_of(kind)}" for kind in DestinationKind)
    return f"coalesce(CASE kind {cases} END, 1 = 0)"


def _shape_of(kind: DestinationKind) -> str:
    columns = [attribute for attribute in ATTRIBUTES if attribute not in (Attribute.LABEL, Attribute.KIND)]
    has_credentials = "IS NOT NULL" if KINDS[kind].has_credentials else "IS NULL"
    return " AND ".join((*(_value(column, kind) for column in columns), f"credentials_set_at {has_credentials}"))


def _value(attribute: Attribute, kind: DestinationKind) -> str:
    if attribute not in KINDS[kind].applicable:
        return f"{attribute} IS NULL"
    form = _form(attribute)
    return form if attribute in KINDS[kind].required else f"({attribute} IS NULL OR ({form}))"


def _form(attribute: Attribute) -> str:
    rules = attribute.rules
    if rules.is_secret:
        return f"{attribute} LIKE 's1:%:%'"
    if rules.type is ValueType.URL:
        return f"lower({attribute}) LIKE 'http%://%' AND length({attribute}) <= {rules.column_length}"
    if rules.type is ValueType.BOOLEAN:
        return f"{attribute} IS NOT NULL"
    return f"length({attribute}) BETWEEN 1 AND {rules.column_length}"
