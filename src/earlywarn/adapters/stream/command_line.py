"""What a worker takes on its command line: the file of its settings, as every command does, and nothing else."""

from argparse import ArgumentParser
from pathlib import Path


def settings_file(service: str, about: str) -> Path | None:
    """Return the file that `--config` names; None without. `--help` and what is unknown end the process.

    Args:
        service: the worker's name.
        about: what it does, in a sentence.
    """
    parser = ArgumentParser(
        prog=f"python -m earlywarn.services.{service}",
        description=about,
        epilog="All else is a setting, in the file or in the environment (EARLYWARN_...): docs/settings.md. It works "
        "until it is told to stop (SIGTERM, SIGINT): docs/operations/workers.md.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="settings (TOML); without: the file that EARLYWARN_CONFIG names, else the environment alone",
    )
    given: Path | None = parser.parse_args().config
    return given
