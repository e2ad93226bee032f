"""The command `ibcf`: puts the verbs together and turns errors into lines and exit statuses.

Exit statuses are the same for all verbs: 0 well, 1 findings or a failure, 2 wrong usage or configuration, 3 the border
cannot serve (a port that is taken).
"""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from ibcf.cli.check import check
from ibcf.cli.demo import demo
from ibcf.cli.doctor import doctor
from ibcf.cli.enum_lookup import enum_lookup
from ibcf.cli.explain import explain
from ibcf.cli.locate import locate
from ibcf.cli.policy_cases import run_cases
from ibcf.cli.policy_control import reload, rollback
from ibcf.cli.policy_diff import diff
from ibcf.cli.policy_import import import_list
from ibcf.cli.policy_shadow import shadow
from ibcf.cli.policy_unblock import unblock
from ibcf.cli.reasons import reasons
from ibcf.cli.run import run
from ibcf.cli.schema import schema
from ibcf.cli.status import status
from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_USAGE, console, print_error, print_faults
from ibcf.errors import ConfigError, IbcfError

app = typer.Typer(
    name="ibcf",
    help="The SIP border between two IMS networks (IBCF, 3GPP TS 24.229 §5.10).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run)
app.command("status")(status)
app.command("check")(check)
app.command("explain")(explain)
policy = typer.Typer(name="policy", help="Test a policy, and say which one is in force.", no_args_is_help=True)
app.add_typer(policy)
policy.command("test")(run_cases)
policy.command("diff")(diff)
policy.command("reload")(reload)
policy.command("rollback")(rollback)
policy.command("unblock")(unblock)
policy.command("import")(import_list)
policy.add_typer(shadow)
app.command("enum")(enum_lookup)
app.command("locate")(locate)
app.command("reasons")(reasons)
app.command("schema")(schema)
app.command("doctor")(doctor)
app.command("demo")(demo)


def _version(wanted: bool) -> None:
    if wanted:
        console().print(f"ibcf {metadata.version('ibcf')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep what is common to all verbs."""


def main() -> None:
    """Run the command line; an error of ours becomes lines on stderr, never a traceback."""
    try:
        app()
    except ConfigError as error:
        print_faults(error.faults, to=console(stderr=True))
        raise SystemExit(EXIT_USAGE) from error
    except IbcfError as error:
        print_error(str(error))
        raise SystemExit(EXIT_FINDINGS) from error


if __name__ == "__main__":
    main()
