"""The table of docs/reliability.md: every test has its row, and a run writes its figures there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.reliability import promises
from tests.support.reliability.promises import Promise

TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
OF_THE_TABLE = "tests/reliability/test_promises.py"
REPORT = """<testsuites><testsuite>
<testcase classname="tests.reliability.test_a" name="test_one[sqlite]" time="1.6"><properties>
<property name="figure" value="7 of 7 | none lost"/><property name="other" value="not shown"/></properties></testcase>
<testcase classname="tests.reliability.test_a" name="test_one[postgresql]" time="2"/>
<testcase classname="tests.reliability.test_a" name="test_two" time="3"><failure/></testcase>
<testcase classname="tests.api.test_b" name="test_three" time="4"/>
<testcase classname="tests.web.test_c" name="test_of_no_promise" time="4"/>
</testsuite></testsuites>"""
PAGE = f"""# A page

{promises.BEGIN}

About an older run.

{promises.HEAD}
| all of a file | `tests/reliability/test_a.py`, `tests/api/test_b.py` | old |
| one test | `tests/reliability/test_a.py::test_two` | old |
| what was left out | `tests/reliability/test_d.py` | old |

{promises.END}

The rest.
"""


def every_test_of(file: Path) -> Iterator[str]:
    """Every test of a file, as `path::name`."""
    for name in TEST.findall(file.read_text()):
        yield f"{file.relative_to(ROOT).as_posix()}::{name}"


def test_every_test_of_reliability_is_in_a_row_and_every_row_names_tests() -> None:
    """A file alone stands for the tests in it that no other row names."""
    rows = promises.promises(promises.PAGE.read_text())
    named = {reference.partition("::")[0] for row in rows for reference in row.references}
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / "reliability").glob("test_*.py")}
    tests = [test for file in sorted(named | here - {OF_THE_TABLE}) for test in every_test_of(ROOT / file)]

    held: list[Promise | None] = [promises.held_by(test, rows) for test in tests]

    assert len(tests) > 100
    assert [test for test, row in zip(tests, held, strict=True) if row is None] == []
    assert [row.text for row in rows if row not in held] == []
    assert [each for row in rows for each in row.references if not any(promises.is_of(each, t) for t in tests)] == []


def test_the_figures_of_a_run_are_written_into_the_page(tmp_path: Path) -> None:
    """Between the lines that mark the table, and nothing else is changed; what failed or did not run is said."""
    report = tmp_path / "report.xml"
    report.write_text(REPORT)

    written = promises.with_figures(PAGE, list(promises.of_report(report)), "About this run.")

    assert promises.promises(written) == [
        Promise(
            text="all of a file",
            cell="`tests/reliability/test_a.py`, `tests/api/test_b.py`",
            figure="7 of 7 / none lost; 3 tests in 8 s",
        ),
        Promise(
            text="one test",
            cell="`tests/reliability/test_a.py::test_two`",
            figure="**failed: `test_two`**; 1 test in 3 s",
        ),
        Promise(text="what was left out", cell="`tests/reliability/test_d.py`", figure="not run"),
    ]
    assert "About this run." in written
    assert "older" not in written
    assert written.startswith("# A page\n\n")
    assert written.endswith("\n\nThe rest.\n")
    assert promises.with_figures(written, list(promises.of_report(report)), "About this run.") == written
