"""MOORINGS_DATABASE_URL is read as other programs read it, and anything that is no such URL is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.database import parse_address


def test_the_url_of_a_relative_file_is_read_from_the_working_directory() -> None:
    assert parse_address("sqlite:///moorings.db").path == Path.cwd() / "moorings.db"
    assert parse_address("sqlite:///data/moorings.db").path == Path.cwd() / "data/moorings.db"


def test_the_url_of_an_absolute_file_is_read_with_four_slashes_and_with_three(tmp_path: Path) -> None:
    assert parse_address(f"sqlite:///{tmp_path}/moorings.db").path == tmp_path / "moorings.db"
    assert parse_address(f"sqlite://{tmp_path}/moorings.db").path == tmp_path / "moorings.db"


def test_three_slashes_before_a_directory_that_is_here_are_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()

    assert parse_address("sqlite:///tmp/moorings.db").path == tmp_path / "tmp/moorings.db"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_url_of_a_postgresql_goes_to_the_driver_as_it_is(scheme: str) -> None:
    url = f"{scheme}://user:p%40ss@one:5432,two:5433/moorings?sslmode=require"
    address = parse_address(url)

    assert (address.engine, address.url, address.path) == ("postgresql", url, None)
    assert "p%40ss" not in address.origin


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "moorings.db",
            "sqlite:",
            "sqlite://",
            "sqlite:///",
            "sqlite:////",
            "sqlite://:memory:",
            "sqlite:///x?a=b",
        ),
        *("sqlite3:///x.db", "mysql://h/x", "postgresql:h/x", "postgresql+asyncpg://h/x", "file:///x.db", "//x.db"),
    ],
)
def test_any_other_address_is_refused_with_the_forms_there_are(url: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite:///relative\.db.*sqlite:////absolute\.db.*postgresql://"):
        parse_address(url)
