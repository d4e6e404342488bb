"""A pytest plugin: a team's own tests over caio's functions.

``pytest -p caio_py.cutover --caio=shadow`` runs both and shows the differences at the end;
``--caio=replace`` runs caio's alone. ``--caio-only`` names functions, classes or modules and may be
given again; ``--caio-report`` names the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

_report: str | None = None
_bound: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("caio")
    group.addoption("--caio", choices=["shadow", "replace"], help="bind caio's functions over the old modules")
    group.addoption("--caio-only", action="append", metavar="NAME", help="bind these alone")
    group.addoption("--caio-report", metavar="FILE", help="record of a shadow run (default caio-shadow.jsonl)")


def pytest_configure(config: pytest.Config) -> None:
    mode = config.getoption("--caio")
    if mode is None:
        return
    global _report, _bound
    from . import compat

    installed = compat.install(mode, config.getoption("--caio-only"), config.getoption("--caio-report"))
    _report, _bound = installed.report, installed.bound


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _bound and _report is None:
        return
    from . import _report as reports
    from .compat import uninstall

    uninstall()
    terminalreporter.section("caio")
    terminalreporter.write_line(f"bound: {', '.join(sorted(_bound)) or 'nothing was imported'}")
    if _report is not None:
        terminalreporter.write(reports.show(_report))


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.getoption("--caio", None) is not None:
        from .compat import uninstall

        uninstall()
