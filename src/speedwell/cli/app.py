"""The program: its verbs, and how any end of it looks to a person, a script and a shell."""

from __future__ import annotations

import json
import os
import sys

import typer

from ..core.errors import SpeedwellError
from . import accelerate, compare, demo, doctor, explain, label, report, run, train, verify

__all__ = ["app", "main"]

app = typer.Typer(
    name="speedwell",
    help="Your trained model in; the fastest model that still keeps your accuracy promise out.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("accelerate")(accelerate.command)
app.command("train")(train.command)
app.command("compare")(compare.command)
app.command("run")(run.command)
app.command("open", hidden=True)(run.command)
app.command("label")(label.command)
app.command("report")(report.command)
app.command("verify")(verify.command)
app.command("doctor")(doctor.command)
app.add_typer(explain.app, name="explain")
app.command("demo")(demo.command)


def _version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(f"speedwell {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True),
) -> None:
    """Your trained model in; the fastest model that still keeps your accuracy promise out."""
    del version


def main() -> None:
    """Entry point. Exit codes: 0 done (also "keep the original"), 130 stopped by Ctrl-C, else by error class
    (``docs/errors.md``). With ``--debug`` an error keeps its traceback; with ``--json`` it is a JSON line.
    """
    try:
        app(prog_name="speedwell")  # whatever the program was started as
    except SpeedwellError as error:
        if "--debug" in sys.argv:
            raise
        if "--json" in sys.argv:
            print(json.dumps({"event": "failed", **error.as_dict()}), flush=True)
        else:
            print(f"\n{error.what}", file=sys.stderr)
            if error.fix:
                print(error.fix, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        if "--debug" in sys.argv:
            raise
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # the reader (head, less) has gone: nothing is left to say, and Python must not complain while it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
