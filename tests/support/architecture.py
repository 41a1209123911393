"""The rules of the architecture, checked on a tree of sources: arrows between rooms, libraries, names, scope keys.

Importing a module for the type checker alone counts like any other import.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
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
"""The rooms each room may import."""

PARTS_OF_MODELS: Mapping[str, str] = {
    "web": "accounts audit error_report errors outage reads short_memo tracing",
    "s3": "checks clock destinations.endpoint_url errors grants.access vault",
}
"""For rooms that import a few parts of `models` only: HTTP knows no backups, and the store check no rows."""

WITHIN: Mapping[str, Mapping[str, str]] = {
    "models": {
        "accounts": "audit clock database errors imported_row short_memo text",
        "audit": "clock database errors",
        "background": "errors",
        "batcher": "errors tracing",
        "checks": (
            "accounts audit background clock database destinations error_report errors events pagination reads tracing "
            "vault"
        ),
        "clock": "",
        "database": "clock errors outage tracing",
        "destinations": "accounts clock errors text vault",
        "error_report": "",
        "errors": "",
        "events": "accounts clock database destinations errors pagination reads",
        "grants": "accounts audit checks clock database destinations errors events text vault",
        "imported_row": "",
        "migrations": "accounts audit checks destinations events grants",
        "outage": "",
        "pagination": "",
        "reads": "accounts batcher database destinations errors pagination text",
        "service": "accounts audit clock destinations errors events pagination reads vault writes",
        "short_memo": "",
        "takeover": "accounts audit clock database destinations errors imported_row text vault",
        "text": "",
        "timestamps": "",
        "tracing": "outage short_memo",
        "vault": "errors",
        "writes": "accounts batcher clock database destinations errors events vault",
    },
    "web": {
        "access_log": "http request_state",
        "admission": "cross_origin middleware request_id request_state",
        "application": "access_log admission buffered_bytes connections cross_origin fast_path pings request_state "
        "stopping tracing",
        "auth": "rate_limit request_state",
        "buffered_bytes": "",
        "connections": "",
        "cross_origin": "",
        "cache": "compression request_state",
        "compression": "",
        "fast_path": "access_log auth cache compression http metrics middleware request_id request_state tracing",
        "health_paths": "",
        "http": "",
        "metrics": "",
        "middleware": "cache compression health_paths problem request_id request_state",
        "pings": "",
        "problem": "",
        "rate_limit": "",
        "request_id": "",
        "request_state": "request_id",
        "server": "access_log admission application connections fast_path health_paths http pings request_id "
        "request_state",
        "stopping": "",
        "tracing": "access_log health_paths request_state",
    },
    "s3": {
        "address_policy": "",
        "bucket": "connection endpoint responses signature_v4 steps",
        "connection": "address_policy dialer signature_v4 steps tls",
        "dialer": "address_policy resolver steps tls",
        "endpoint": "address_policy signature_v4 steps",
        "error_codes": "",
        "presigning": "address_policy endpoint signature_v4 steps",
        "prober": "address_policy bucket connection dialer endpoint providers resolver responses steps suggestions tls",
        "providers": "endpoint",
        "resolver": "",
        "responses": "connection endpoint error_codes steps",
        "signature_v4": "",
        "steps": "",
        "suggestions": "connection endpoint providers responses steps",
        "tls": "steps",
    },
    "schema": {
        "act_once": "context",
        "compiler": "act_once context resolvers types",
        "context": "",
        "documents": "limits",
        "errors": "",
        "execution": "compiler context documents errors limits resolvers trusted_documents types",
        "limits": "",
        "resolvers": "act_once context errors types",
        "transport": "compiler context errors execution trusted_documents",
        "trusted_documents": "",
        "types": "context errors",
    },
    "rest": {
        "bodies": "",
        "endpoints": "bodies envelope grants prepared_reads wire",
        "envelope": "",
        "errors": "wire",
        "grants": "",
        "openapi": "bodies endpoints envelope errors wire",
        "prepared_reads": "envelope wire",
        "wire": "",
    },
    "app": {
        "backups": "",
        "check_scheduler": "",
        "cli": "backups check_scheduler database doctor embedded_file file_permissions first_run key_service logs "
        "moving processes secret_keys settings tracing",
        "database": "",
        "doctor": "database embedded_file file_permissions secret_keys settings",
        "moving": "database embedded_file secret_keys settings",
        "monitoring": "database",
        "embedded_file": "database",
        "file_permissions": "",
        "first_run": "database embedded_file file_permissions secret_keys settings",
        "gc_tuning": "",
        "key_service": "",
        "logs": "",
        "main": "check_scheduler database logs monitoring opening pages postgres_listener secret_keys settings tracing",
        "opening": "",
        "pages": "database settings",
        "postgres_listener": "",
        "processes": "gc_tuning logs main settings",
        "secret_keys": "embedded_file key_service settings",
        "setting_types": "database",
        "settings": "database setting_types",
        "tracing": "settings",
    },
}
"""What each part of a room, a folder or a file directly in it, may import of the same room."""

NAME_THEIR_READERS = ("web/request_state.py", "models/errors.py")
"""A request's state and the refusals carry values of parts that import them: what these two files import for the type
checker alone is not an arrow."""

LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "strawberry": ("schema/",),
    "graphql": ("schema/",),
    "tortoise": ("models/", "app/database.py"),
    "asyncpg": ("models/", "app/postgres_listener.py"),
    "aiosqlite": ("models/database/",),
    "starlette": ("app/main.py", "app/opening.py", "app/pages/", "rest/", "schema/transport/", "web/"),
    "uvicorn": ("app/processes/worker.py", "web/"),
    "httptools": ("web/server/",),
    "websockets": ("web/server/",),
    "prometheus_client": ("app/monitoring/", "web/metrics/"),
    "opentelemetry": ("app/tracing/sdk.py",),
    "limits": ("web/rate_limit/",),
    "redis": ("web/rate_limit/",),
    "cryptography": ("models/vault/vault.py", "models/takeover/laravel.py"),
    "httpcore": ("s3/connection.py", "s3/dialer.py", "s3/prober.py"),
    "click": ("app/cli/",),
    "rich": ("app/cli/",),
}
"""Where each library may be imported."""

MAX_FILES = 14
"""Of one folder of the source."""
MIGRATIONS = "models/migrations"
"""The one folder that only grows: migrations that ran somewhere stay."""

REQUEST_STATE = "web/request_state.py"
SCOPE_KEYS = frozenset(
    {
        *("type", "asgi", "http_version", "server", "client", "scheme", "method", "root_path", "path", "raw_path"),
        *("query_string", "headers", "subprotocols", "extensions", "state"),
        *("app", "router", "route", "endpoint", "path_params"),
    }
)
"""Keys of the ASGI specification (HTTP, WebSocket, lifespan), and in the last line those of Starlette's router."""

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
        """The syntax tree."""
        return ast.parse(self.text)


def sources(root: Path, *folders: str) -> list[Source]:
    """Every Python file in these folders of a tree."""
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    return [Source(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in paths]


def broken_rules(root: Path) -> list[str]:
    """A sentence for every rule that the tree breaks."""
    rooms, tests = sources(root, *ROOMS), sources(root, "tests")
    broken = [sentence for source in rooms for sentence in (*_arrows(source), *_libraries(source))]
    broken += [sentence for source in rooms for sentence in (*_environment(source), *_docstring(source))]
    broken += [sentence for source in rooms for sentence in _scope_keys(source)]
    broken += [sentence for source in [*rooms, *tests] for sentence in _name(source)]
    return [*broken, *_folders(root), *_cycles(rooms), *_kinds(rooms)]


def imported(source: Source) -> Iterator[str]:
    """The full names of what a file imports, `package.name` for each name of `from package import name`."""
    package = source.module if source.path.endswith("/__init__.py") else source.module[:-1]
    for node in _executed(source.tree) if source.path in NAME_THEIR_READERS else ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            yield from (".".join([*start, *filter(None, [node.module]), alias.name]) for alias in node.names)


def _executed(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            waiting.extend(ast.iter_child_nodes(node))


def _arrows(source: Source) -> Iterator[str]:
    part = source.module[1] if len(source.module) > 1 else ""
    if part and part not in WITHIN[source.room]:
        yield f"every part of a room has a row in WITHIN: {source.path} has none"
        return
    for name in sorted(set(imported(source))):
        room, _, inner = name.partition(".")
        imported_part = inner.partition(".")[0]
        if room in (*ROOMS, "tests", "benchmarks") and room not in ARROWS[source.room]:
            yield f"{source.room} does not import {room}: {source.path} imports {name}"
        elif room == "models" and not _is_within(inner, PARTS_OF_MODELS.get(source.room, imported_part).split()):
            yield f"{source.room} does not import models.{imported_part}: {source.path} imports {name}"
        elif room == source.room and imported_part not in (part, *WITHIN[room].get(part, "").split()):
            yield f"{room}.{part} does not import {room}.{imported_part}: {source.path} imports {name}"


def _is_within(name: str, parts: Iterable[str]) -> bool:
    """Whether a dotted name is one of these parts, or in one of them."""
    return any(f"{name}.".startswith(f"{part}.") for part in parts)


def rows_without_a_part(root: Path) -> list[str]:
    """A sentence for every part that the tables name and the tree does not have."""
    parts = {source.module[:2] for source in sources(root, *ROOMS)}
    named = {(room, part) for room, rows in WITHIN.items() for row in rows.items() for part in " ".join(row).split()}
    named |= {("models", part.partition(".")[0]) for row in PARTS_OF_MODELS.values() for part in row.split()}
    return [f"the tables name {'.'.join(part)}, which does not exist" for part in sorted(named - parts)]


def cycles(arrows: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """The groups of nodes that reach each other, each sorted; none when the arrows can be drawn downwards."""
    reached = {node: _reached(node, arrows) for node in arrows}
    together = {node: {node, *(other for other in reached[node] if node in reached.get(other, ()))} for node in arrows}
    return sorted({tuple(sorted(group)) for node, group in together.items() if node in reached[node]})


def _reached(start: str, arrows: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [*arrows[start]]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(arrows.get(node, ()))
    return found


def _cycles(rooms: list[Source]) -> Iterator[str]:
    modules = {".".join(source.module): source for source in rooms}
    arrows: dict[str, set[str]] = {}
    for name, source in modules.items():
        found = {full if full in modules else full.rpartition(".")[0] for full in imported(source)}
        arrows[name] = {other for other in found if other in modules and other != name}
    for group in cycles(arrows):
        yield f"modules do not import each other in a circle: {', '.join(modules[name].path for name in group)}"


def _folders(root: Path) -> Iterator[str]:
    for room in ROOMS:
        for folder in sorted({path.parent for path in (root / room).rglob("*.*") if "__pycache__" not in path.parts}):
            count = sum(path.is_file() for path in folder.iterdir())
            name = folder.relative_to(root).as_posix()
            if count > MAX_FILES and name != MIGRATIONS:
                yield f"a folder holds at most {MAX_FILES} files: {name} holds {count}"


def _scope_keys(source: Source) -> Iterator[str]:
    """Reads and writes of a scope: `scope[key]`, `scope.get(key)`, `key in scope`, `scope.update(...)`, `{**scope}`."""
    if source.path == REQUEST_STATE:
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.Subscript(value=value, slice=key) if _is_scope(value):
                keys = [key]
            case ast.Call(func=ast.Attribute(value=value, attr="get" | "pop" | "setdefault"), args=[key, *_]) if (
                _is_scope(value)
            ):
                keys = [key]
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[value]) if _is_scope(value):
                keys = [key]
            case ast.Call(func=ast.Attribute(value=value, attr="update"), args=args, keywords=keywords) if _is_scope(
                value
            ):
                keys = [key for arg in args for key in (arg.keys if isinstance(arg, ast.Dict) else [arg]) if key]
                keys += [ast.Constant(keyword.arg) for keyword in keywords]
            case ast.Dict(keys=[*all_keys], values=values) if any(
                key is None and _is_scope(value) for key, value in zip(all_keys, values, strict=True)
            ):
                keys = [key for key in all_keys if key is not None]
            case _:
                continue
        for key in keys:
            if not (isinstance(key, ast.Constant) and key.value in SCOPE_KEYS):
                yield (
                    f"a scope holds ASGI's own keys, and what is ours is in RequestState: "
                    f"{source.path} uses {ast.unparse(key)} in line {getattr(node, 'lineno', 0)}"
                )


def _is_scope(node: ast.expr) -> bool:
    """Whether an expression is called `scope`, `_scope`, `x.scope` or `http_scope`."""
    return ast.unparse(node).rpartition(".")[2].rpartition("_")[2] == "scope"


def _libraries(source: Source) -> Iterator[str]:
    for name in sorted(set(imported(source))):
        places = LIBRARIES.get(name.partition(".")[0])
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
    """A room looks at the kind of a destination in one function at most, so that a new kind changes few files."""
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
