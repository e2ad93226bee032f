"""`ibcf policy test`: does a policy do what its engineers expect of it, and which of its rules did nobody try?"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ibcf.cli.explain import decision, print_steps
from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, console, counted, fault_line, print_json, visible
from ibcf.config import read
from ibcf.config.references import known_reasons
from ibcf.errors import ConfigError
from ibcf.observe.logs import configure
from ibcf.policy.cases import SUFFIX, check_names, read_tests, tests_beside
from ibcf.policy.compile import checked_snapshot
from ibcf.policy.coverage import cover
from ibcf.policy.trial import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from ibcf.config import Loaded
    from ibcf.config.fault import Fault
    from ibcf.policy.coverage import Coverage, Rule
    from ibcf.policy.trial import Outcome


@dataclass(frozen=True, slots=True)
class _Report:
    """What came of one file."""

    file: Path
    policy: Loaded
    outcomes: tuple[Outcome, ...]
    coverage: Coverage

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if not outcome.passed]

    @property
    def seconds(self) -> float:
        return sum(outcome.seconds for outcome in self.outcomes)


def run_cases(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files of tests, policies with such a file beside them, or folders.", show_default=False),
    ],
    *,
    coverage_min: Annotated[
        float, typer.Option("--coverage-min", min=0, max=100, help="Fail when fewer rules (in %) are covered.")
    ] = 0.0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the cases that pass, too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Try the cases beside a policy (`NAME_test.yaml`) on the very engine, and tell which rules they reach.

    Asks no server: ENUM answers what the file of tests says, or a zone file. Exit status: 0 all as expected, 1 a case
    failed or too few rules were covered, 2 faults in a file.
    """
    configure(level="warning", numbers="full", json=False, stream=sys.stderr)
    reports = [_report(file) for file in _found(files)]
    if json:
        print_json([_as_json(report) for report in reports])
    else:
        out = console()
        for report in reports:
            _print(report, out, verbose=verbose)
    failed = any(report.failed or report.coverage.percent < coverage_min for report in reports)
    raise typer.Exit(EXIT_FINDINGS if failed else EXIT_OK)


def _found(files: Sequence[Path]) -> Iterator[Path]:
    for file in files:
        if file.is_dir():
            inside = sorted(file.glob(f"*{SUFFIX}"))
            if not inside:
                raise typer.BadParameter(f"{file}: no file *{SUFFIX} in this folder")
            yield from inside
        elif file.name.endswith(SUFFIX):
            yield file
        else:
            beside = tests_beside(file)
            if not beside.exists():
                raise typer.BadParameter(f"{file}: no {beside.name} beside it")
            yield beside


def _report(file: Path) -> _Report:
    tests = read_tests(file)
    policy = read(tests.tests.policy)
    if faults := check_names(tests, policy.config, known_reasons() or ()):
        raise ConfigError(faults)
    outcomes = asyncio.run(Bench(policy, tests, checked_snapshot(policy)).outcomes())
    told = [outcome.told for outcome in outcomes if outcome.told is not None]
    return _Report(file, policy, tuple(outcomes), cover(policy.config, told))


def _place(report: _Report, rule: Rule) -> Fault:
    return report.policy.tree.fault(rule.path, f"{rule.section}: {rule.id}")


def _print(report: _Report, out: Console, *, verbose: bool) -> None:
    for outcome in report.outcomes:
        if outcome.passed and not verbose:
            continue
        mark, style = ("✓", "green") if outcome.passed else ("✗", "bold red")
        out.print(Text.assemble((f"  {mark} ", style), outcome.case.id, (f"  {outcome.seconds * 1000:.1f} ms", "dim")))
        for failure in outcome.failures:
            out.print(Text.assemble("    ", fault_line(failure, style="bold red")))
        if outcome.failures and outcome.told is not None:
            print_steps(outcome.told, out)
            out.print(Text.assemble(("decision: ", "bold"), visible(decision(outcome.told, report.policy.config))))
    passed = len(report.outcomes) - len(report.failed)
    summary = f"{report.file}: {passed} passed, {len(report.failed)} failed in {report.seconds * 1000:.0f} ms"
    coverage = report.coverage
    reached = len(coverage.rules) - len(coverage.missed)
    summary += f"; {reached} of {counted(len(coverage.rules), 'rule')} covered ({coverage.percent:.0f} %)"
    out.print(Text(summary, style="red" if report.failed else "green"))
    for rule in coverage.missed:
        out.print(Text.assemble("  not covered: ", fault_line(_place(report, rule), style="yellow")))


def _as_json(report: _Report) -> dict[str, object]:
    coverage = report.coverage
    return {
        "file": str(report.file),
        "ok": not report.failed,
        "cases": [
            {
                "id": outcome.case.id,
                "ok": outcome.passed,
                "milliseconds": round(outcome.seconds * 1000, 3),
                "failures": outcome.failures,
                "decision": None if outcome.told is None else decision(outcome.told, report.policy.config),
                "steps": () if outcome.told is None else outcome.told.steps,
            }
            for outcome in report.outcomes
        ],
        "coverage": {
            "percent": round(coverage.percent, 2),
            "rules": len(coverage.rules),
            "missed": [
                {"section": rule.section, "id": rule.id, "at": _place(report, rule)} for rule in coverage.missed
            ],
        },
    }
