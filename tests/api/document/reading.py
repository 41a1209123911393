"""Reads the document: every JSON block of it, which request it answers, and the rules of its last section."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEXT = Path(__file__).with_name("backup-destination-endpoints.txt").read_text(encoding="utf-8")
NOTES_HEADING = "Notes on JSON Structure"
_BLOCK = re.compile(r"^(?P<label>.*)\njson\n", re.MULTILINE)
_ENDPOINT = re.compile(r"^(?P<method>[A-Z]+) (?P<path>/\S+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One JSON block: the line above it, and its place in the text from `start` to `end`."""

    label: str
    content: dict[str, Any]
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A request of the document, its body if it shows one, and the answer printed under it."""

    method: str
    path: str
    body: dict[str, Any] | None
    answer: dict[str, Any]


def blocks() -> Sequence[Block]:
    """Every JSON block, in the document's order."""
    found = []
    for match in _BLOCK.finditer(TEXT):
        content, end = json.JSONDecoder().raw_decode(TEXT, match.end())
        found.append(Block(label=match["label"], content=content, start=match.end(), end=end))
    return found


def examples() -> Sequence[Example]:
    """Each endpoint with the blocks between it and the next one."""
    endpoints = list(_ENDPOINT.finditer(TEXT))
    ends = [endpoint.start() for endpoint in endpoints[1:]] + [len(TEXT)]
    found = []
    for endpoint, end in zip(endpoints, ends, strict=True):
        shown = {block.label: block.content for block in blocks() if endpoint.end() < block.start < end}
        body, answer = shown.get("Request Body"), shown["Response"]
        found.append(Example(method=endpoint["method"], path=endpoint["path"], body=body, answer=answer))
    return found


def errors() -> dict[str, dict[str, Any]]:
    """The error answers by their phrase."""
    return {block.content["error"]: block.content for block in blocks() if "error" in block.content}


def notes() -> Sequence[str]:
    """The rules of the last section, each on one line."""
    section = TEXT.partition(NOTES_HEADING)[2]
    return [" ".join(rule.split()) for rule in re.split(r"\s- (?=[A-Z])", section)[1:]]
