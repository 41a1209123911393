"""The rules of the building, checked on a tree of sources: who may import whom, and where a word may be said."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOMS = ("models", "web", "s3", "schema", "rest", "app")

ARROWS: Mapping[str, frozenset[str]] = {
    "models": frozenset({"models"}),
    "web": frozenset({"web", "models"}),
    "s3": frozenset({"s3", "models"}),
    "schema": frozenset({"schema", "web", "models"}),
    "rest": frozenset({"rest", "web", "models"}),
    "app": frozenset({"app", "schema", "rest", "s3", "web", "models"}),
}
"""Which of our rooms each room may import."""

FRAMEWORKS: Mapping[str, tuple[str, ...]] = {
    "strawberry": ("schema/",),
    "tortoise": ("models/", "app/database.py"),
    "starlette": ("app/", "rest/", "schema/", "web/"),
    "cryptography": ("models/vault/vault.py",),
    "httpcore": ("s3/dialer.py", "s3/connection.py", "s3/prober.py"),
}
"""Where each library may be imported."""

ENVIRONMENT = "app/settings.py"
VAGUE = frozenset({"utils", "util", "helpers", "helper", "common", "core", "base", "manager"})


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the tree; `path` is relative to its root, with slashes."""

    path: str
    text: str

    @property
    def room(self) -> str:
        """The folder at the root it is in."""
        return self.path.partition("/")[0]

    @property
    def module(self) -> tuple[str, ...]:
        """The parts of the module's name."""
        return tuple(part for part in self.path.removesuffix(".py").split("/") if part != "__init__")

    @property
    def tree(self) -> ast.Module:
        """What the file says."""
        return ast.parse(self.text)


def sources(root: Path, *folders: str) -> list[Source]:
    """Every Python file in these folders of a tree."""
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    return [Source(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in paths]


def broken_rules(root: Path) -> list[str]:
    """A sentence for every rule that the tree breaks."""
    rooms, tests = sources(root, *ROOMS), sources(root, "tests")
    broken = [sentence for source in rooms for sentence in (*_arrows(source), *_frameworks(source))]
    broken += [sentence for source in rooms for sentence in (*_environment(source), *_docstring(source))]
    broken += [sentence for source in [*rooms, *tests] for sentence in _name(source)]
    return broken + list(_kinds(rooms))


def imported(source: Source) -> Iterator[str]:
    """The full names of the modules a file imports, those for the type checker alone included."""
    package = source.module if source.path.endswith("/__init__.py") else source.module[:-1]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join([*start, *filter(None, [node.module])])


def _arrows(source: Source) -> Iterator[str]:
    for name in imported(source):
        room = name.partition(".")[0]
        if room in (*ROOMS, "tests", "benchmarks") and room not in ARROWS[source.room]:
            yield f"{source.room} does not import {room}: {source.path} imports {name}"


def _frameworks(source: Source) -> Iterator[str]:
    for name in imported(source):
        places = FRAMEWORKS.get(name.partition(".")[0])
        if places is not None and not any(_is_in(source.path, place) for place in places):
            yield f"{name.partition('.')[0]} is imported only in {', '.join(places)}: {source.path} imports {name}"


def _is_in(path: str, place: str) -> bool:
    return path.startswith(place) if place.endswith("/") else path == place


def _environment(source: Source) -> Iterator[str]:
    if source.path == ENVIRONMENT:
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr=name, lineno=line):
                read = _is_environment(name)
            case ast.ImportFrom(module="os", names=names, lineno=line):
                read = any(_is_environment(alias.name) for alias in names)
            case _:
                continue
        if read:
            yield f"the environment is read only in {ENVIRONMENT}: {source.path} reads it in line {line}"


def _is_environment(name: str) -> bool:
    return name in ("environ", "environb", "getenv", "getenvb", "putenv")


def _docstring(source: Source) -> Iterator[str]:
    if not ast.get_docstring(source.tree) and not source.path.startswith("models/migrations/0"):
        yield f"every module says what it is for: {source.path} has no docstring"


def _name(source: Source) -> Iterator[str]:
    for part in VAGUE.intersection(source.module):
        yield f"a module is named for what it holds: {source.path} is named {part}"


def _kinds(rooms: list[Source]) -> Iterator[str]:
    """A room looks at the kind of a destination in one function at most, so that a new kind has few places to go."""
    for room in ROOMS:
        places = sorted({place for source in rooms if source.room == room for place in _looks_at_kind(source)})
        if len(places) > 1:
            yield f"a room looks at the kind in one function: {room} does in {', '.join(places)}"


def _looks_at_kind(source: Source) -> Iterator[str]:
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in ast.walk(source.tree):
        match node:
            case ast.Compare(left=left, comparators=others, lineno=line):
                compared = [left, *others]
            case ast.MatchValue(value=value, lineno=line):
                compared = [value]
            case _:
                continue
        if any(_is_kind(part) for value in compared for part in ast.walk(value)):
            around = [f.name for f in functions if f.lineno <= line <= (f.end_lineno or f.lineno)]
            yield f"{source.path} {around[-1] if around else f'line {line}'}"


def _is_kind(node: ast.AST) -> bool:
    """Whether an expression is a member of `DestinationKind`."""
    return isinstance(node, ast.Attribute) and ast.unparse(node.value).rpartition(".")[2] == "DestinationKind"
