"""The commands and what they share: errors as lines, JSON for machines, progress on a terminal."""

import sys
from typing import Annotated

import typer

import earlywarn
from earlywarn.cli.config import config_app
from earlywarn.cli.dlq import dlq_app
from earlywarn.cli.history import backtest, score
from earlywarn.cli.making import generate
from earlywarn.cli.redis import rebuild_redis
from earlywarn.cli.replay import replay
from earlywarn.cli.running import demo, run
from earlywarn.cli.terminal import end_without_reader, remark
from earlywarn.cli.topics import topics_app
from earlywarn.cli.verify import verify
from earlywarn.errors import EarlywarnError

app = typer.Typer(
    name="earlywarn",
    help="Early warning of economic shocks from card transactions.\n\nStart with: earlywarn demo",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:  # noqa: FBT001  # typer's callback
    if wanted:
        typer.echo(f"earlywarn {earlywarn.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


app.command()(demo)
app.command()(run)
app.command()(replay)
app.command()(verify)
app.command()(rebuild_redis)
app.command()(backtest)
app.command()(score)
app.command()(generate)
app.add_typer(config_app, name="config")
app.add_typer(topics_app, name="topics")
app.add_typer(dlq_app, name="dlq")


def run_app() -> None:
    """Run the application; an expected error is one line per problem and exit code 1."""
    try:
        app()
    except EarlywarnError as error:
        for line in str(error).split("\n"):
            remark(line)
        sys.exit(1)
    except SystemExit as ended:  # Typer and Rich turn a broken pipe into an exit with 1
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        end_without_reader()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        remark(f"{where}{error.strerror or error}")
        sys.exit(1)
