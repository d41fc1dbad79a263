"""The track record: `make track-record`, or `PYTHONPATH=tests/bench python -m track_record --help`."""

import argparse
import sys
from pathlib import Path

from track_record.measuring import QUICK, Plan, measure
from track_record.page import page
from track_record.pictures import delays_picture, shares_picture
from track_record.record import decoded, encoded
from track_record.regression import checked

DOCS = Path(__file__).parents[3] / "docs"
PROCESSES = 2


def _progress(done: int, total: int, name: str) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r\x1b[K{done} of {total} done: {name}", end=end, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    whole = Plan()
    parser = argparse.ArgumentParser(prog="track_record", description="Measure the detector on shocks in the sample.")
    parser.add_argument(
        "--quick", action="store_true", help="few starts and one part, about two minutes; not to be kept"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=None, help=f"of the starts ({whole.seeds})")
    parser.add_argument(
        "--starts", type=int, help=f"of each cell and seed ({whole.starts_of_cells}), twice as many of a group"
    )
    parser.add_argument("--json", action="store_true", help="print the record, write nothing and check nothing")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of track-record.json, .md and images/ (docs)")
    parser.add_argument(
        "--accept", action="store_true", help="write a state with worse figures, or another basis, on purpose"
    )
    return parser.parse_args()


def _plan(asked: argparse.Namespace) -> Plan:
    base = QUICK if asked.quick else Plan()
    seeds = tuple(asked.seeds or base.seeds)
    if asked.starts is None:
        return Plan(seeds, base.starts_of_cells, base.starts_of_groups, base.parts)
    return Plan(seeds, asked.starts, 2 * asked.starts, base.parts)


def main() -> int:
    """Measure, check against what is kept, and write; 1 where a figure dropped, 2 where a quick run would be kept."""
    asked = _arguments()
    if asked.quick and asked.out == DOCS and not asked.json:
        print(
            "track_record: a quick run is not kept in docs/: name another folder with --out, or --json", file=sys.stderr
        )
        return 2
    record = measure(_plan(asked), PROCESSES, _progress)
    if asked.json:
        sys.stdout.buffer.write(encoded(record))
        return 0
    kept = asked.out / "track-record.json"
    old = decoded(kept.read_bytes()) if kept.exists() else None
    record, problems = checked(old, record, accept=asked.accept)
    for problem in problems:
        print(f"track_record: {problem}", file=sys.stderr)
    if problems:
        print("track_record: nothing was written; `--accept` takes the new state", file=sys.stderr)
        return 1
    images = asked.out / "images"
    images.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(encoded(record))
    (asked.out / "track-record.md").write_text(page(record), encoding="utf-8")
    (images / "track-record-shares.svg").write_text(shares_picture(record), encoding="utf-8")
    (images / "track-record-delays.svg").write_text(delays_picture(record), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
