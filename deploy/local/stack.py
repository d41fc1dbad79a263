"""`make up` and `make down`: the local stack of a developer. docs/operations/local-stack.md tells what it does."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from detached_process import StackError
from local_stack import LocalStack, Part
from programs import REPOSITORY


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0, or 1 after one clear message."""
    parser = argparse.ArgumentParser(prog="stack.py", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "build/stack", help="data, logs and pid files")
    parser.add_argument("--probe-port", type=int, default=8081, help="up: of the first service; the next ones follow")
    parser.add_argument("--remove-data", action="store_true", help="down: remove what the parts keep, too")
    chosen = parser.parse_args(arguments)
    stack = LocalStack(chosen.folder, os.environ, first_probe_port=chosen.probe_port, say=_starting)
    try:
        if chosen.command == "up":
            _say(_running(stack, stack.up()))
        else:
            _say(_stopped(stack.down(remove_data=chosen.remove_data), chosen.folder, removed=chosen.remove_data))
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _running(stack: LocalStack, parts: Sequence[Part]) -> str:
    rows = [("part", "address", "pid", "log")]
    rows += [
        (each.name, each.address, str(each.pid or "yours"), str(_short(each.log)) if each.log else "") for each in parts
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    table = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    given = " ".join(
        f"{name}={value}"
        for name, value in (
            *(
                (name, stack.environment[name])
                for name in ("EARLYWARN_CONFIG", "EARLYWARN_KAFKA", "EARLYWARN_SNAPSHOTS__URL")
            ),
            ("REDIS_URL", parts[1].address),
        )
    )
    return (
        f"{table}\n\n"
        f"Use it:   export {given}\n"
        "Fill:     earlywarn replay data/swiss_cards/region_sector_daily.csv.gz --mapping swiss-cards "
        "--config data/swiss_cards/panel.toml --run swiss\n"
        f"Look:     redis-cli -u {parts[1].address} --scan --pattern 'earlywarn:*'\n"
        "Stop:     make down               (data stays; make down DATA=remove removes it)"
    )


def _stopped(ended: dict[str, bool], folder: Path, *, removed: bool) -> str:
    lines = [f"{name}: stopped" if gracefully else f"{name}: killed" for name, gracefully in ended.items()]
    lines = lines or ["nothing was running"]
    lines.append(f"data removed: {_short(folder)}" if removed else f"data stays: {_short(folder)}")
    return "\n".join(lines)


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _starting(name: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"starting {name} ...\n")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
