"""Paths that lead nowhere: misspelled, dotted, doubled, escaped, or looking for other people's software."""

from .case import Case
from .drafts import COLLECTION, JSON, LOCAL, OWN, asking
from .expectations import NO_ROUTE, NOT_FOUND, either, parser_or

NOWHERE: dict[str, str] = {
    "the prefix alone": "/api",
    "the prefix and a slash": "/api/",
    "the prefix twice": "/api/api/backup-destinations",
    "the prefix in capitals": "/API/backup-destinations",
    "a word in capitals": "/api/Backup-Destinations",
    "the singular": "/api/backup-destination",
    "an underscore": "/api/backup_destinations",
    "a letter more": "/api/backup-destinationss",
    "a version": "/api/v1/backup-destinations",
    "an extension": "/api/backup-destinations.json",
    "a space after it": "/api/backup-destinations%20",
    "a line feed after it": "/api/backup-destinations%0A",
    "a NUL after it": "/api/backup-destinations%00",
    "a NUL and an extension": "/api/backup-destinations%00.html",
    "a path parameter": "/api/backup-destinations;jsessionid=1",
    "an escaped question mark": "/api/backup-destinations%3Fpage=1",
    "an escaped hash": "/api/backup-destinations%23",
    "a broken byte": "/api/backup-destinations%FF",
    "two slashes before it": "/api//backup-destinations",
    "two slashes before everything": "//api/backup-destinations",
    "two slashes and a host": "//evil.example/",
    "two slashes and a host before it": "//evil.example/api/backup-destinations",
    "a backslash and a host": "/\\evil.example/",
    "an escaped backslash and a host": "/%5Cevil.example/",
    "a dot": "/api/./backup-destinations",
    "an escaped dot": "/api/%2e/backup-destinations",
    "two dots": "/api/x/../backup-destinations",
    "two escaped dots": "/api/%2e%2e/api/backup-destinations",
    "two dots out of everything": "/api/../../../../etc/passwd",
    "two escaped dots out of everything": "/api/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "two dots with an escaped slash": "/api/..%2f..%2fetc/passwd",
    "two dots escaped twice": "/api/%252e%252e/etc/passwd",
    "two dots in overlong bytes": "/api/%c0%ae%c0%ae/etc/passwd",
    "two dots with backslashes": "/api/..%5c..%5cetc/passwd",
    "two dots and a parameter": "/api/..;/backup-destinations",
    "below a row": OWN + "/edit",
    "below a row, the check": OWN + "/check/now",
    "a row below a row": OWN + "/{own_s3}",
    "a row of a user": "/api/users/1/backup-destinations",
    "an escaped host": "/api/http:%2F%2Fevil.example%2F",
    "a settings file": "/.env",
    "a settings file of the prefix": "/api/.env",
    "a repository": "/.git/config",
    "an old login page": "/login",
    "an old login route": "/api/login",
    "an old token route": "/oauth/token",
    "an old cookie route": "/sanctum/csrf-cookie",
    "an old debugger": "/_ignition/execute-solution",
    "another framework": "/wp-login.php",
    "a script": "/index.php/api/backup-destinations",
    "a database": "/moorings.db",
    "a key file": "/moorings.key",
    "a source": "/app/main.py",
    "a path of 4,000 characters": "/api/" + "a" * 4_000,
    "a path of 1,000 segments": "/api" + "/a" * 1_000,
    "an emoji": "/api/%F0%9F%98%80",
}

WITHOUT_TOKEN = (
    "the prefix twice",
    "a version",
    "a NUL after it",
    "two escaped dots",
    "two slashes before it",
    "a settings file",
    "below a row",
    "a path parameter",
)
WRITTEN = (
    "the singular",
    "two slashes before it",
    "a NUL after it",
    "a path parameter",
    "two escaped dots",
    "a version",
)

SLASHES: tuple[Case, ...] = (
    asking("route: a slash at the end", "/api/backup-destinations/", either(200, 301, 307, 308)),
    asking("route: a slash at the end, without the prefix", "/backup-destinations/", either(200, 301, 307, 308)),
    asking("route: two slashes at the end", "/api/backup-destinations//", either(301, 307, 308, 404)),
    asking("route: two slashes and a host at the end", "/api/backup-destinations//evil.example/", NO_ROUTE),
    asking("route: an escaped slash before the id", "/api/backup-destinations%2F{own}", either(200, 404)),
    asking("route: an escaped slash in the prefix", "/api%2Fbackup-destinations", either(200, 404)),
    asking("route: an escaped letter is the letter", "/api/%62ackup-destinations", either(200, 404)),
    asking("route: two dots for an id", COLLECTION + "/..", NO_ROUTE),
    asking("route: two escaped dots for an id", COLLECTION + "/%2e%2e", NO_ROUTE),
    asking("route: a dot for an id", COLLECTION + "/%2e", NO_ROUTE),
    asking("route: three dots are an id like any other", COLLECTION + "/...", NOT_FOUND),
)

# These are no paths: the parser may refuse them, and nothing may break.
TARGETS: tuple[Case, ...] = tuple(
    Case(name=f"route: {what}", method="GET", path=path, **parser_or(*statuses))
    for what, path, statuses in (
        ("a space in the target", "/api/backup-destinations ?page=1", (400,)),
        ("a tab in the target", "/api/backup-destinations\t", (400,)),
        ("a NUL in the target", "/api/backup-destinations\0", (400,)),
        ("no slash before the path", "api/backup-destinations", (400, 404)),
        ("nothing but a query", "?page=1", (400, 404)),
        ("a target on another host", "http://evil.example/api/backup-destinations", (200, 400, 404)),
        ("a target on another scheme", "gopher://evil.example/1", (400, 404)),
        ("an asterisk", "*", (400, 404)),
        ("a byte beyond ASCII", "/api/caf\xe9", (400, 404)),
        ("a percent sign before no digits", "/api/backup-destinations/%zz", (400, 404)),
        ("a percent sign at the end", "/api/backup-destinations/%", (400, 404)),
        ("a target of 40,000 characters", "/api/" + "a" * 40_000, (400, 404, 414, 431)),
    )
)

CASES: tuple[Case, ...] = (
    *(asking(f"route: {what}", path, NO_ROUTE) for what, path in NOWHERE.items()),
    *(
        Case(name=f"route: {what}, without a token", method="GET", path=NOWHERE[what], authenticated=False, **NO_ROUTE)
        for what in WITHOUT_TOKEN
    ),
    *(
        Case(name=f"route: {what}, written to", method="POST", path=NOWHERE[what], headers=JSON, body=LOCAL, **NO_ROUTE)
        for what in WRITTEN
    ),
    *SLASHES,
    *TARGETS,
)
