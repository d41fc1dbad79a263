"""How often is a shock told of the right node? A matrix of the level of the shock by the level of the first alert.

    OPENBLAS_NUM_THREADS=1 PYTHONPATH=tests/support python tests/bench/level_attribution.py [--seeds N] [--percent P]

Small panels, where it is hardest: 2 to 5 regions by 2 to 5 sectors, of weights that are log-normal (sd 1), with noise
of 4 or 15 per cent a day that is each cell's own. One cell, region, sector or the whole panel falls to the end of the
data, 15 days later. Told right is a shock of whose alerts without a parent the first one, on that day the one of the
highest score, is of its node; "wider" and "narrower" are of a node that holds the shock's, or lies in it. "More tops"
are the other alerts without a parent of these days.
"""

import argparse
from collections import Counter

from shocked_panel import composed
from uneven_panel import LEVELS, told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="panels (default 20)")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--percent", type=float, default=-30.0, help="size of the shock (default -30)")
    arguments = parser.parse_args()
    run = composed()
    for noise in (0.04, 0.15):
        found: Counter[tuple[str, str]] = Counter()
        extra: Counter[str] = Counter()
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            for level, how, more in told(run, seed, noise, arguments.percent):
                found[level, how] += 1
                extra[level] += more
        print(f"noise {noise:.0%}, {arguments.percent:+.0f} %, {arguments.seeds} panels")
        kinds = ("right", "wider", "narrower", "other", "missed")
        print(f"  {'shock of a':12}" + "".join(f"{kind:>10}" for kind in kinds) + f"{'more tops':>12}")
        for level in LEVELS:
            print(f"  {level:12}" + "".join(f"{found[level, kind]:10}" for kind in kinds) + f"{extra[level]:12}")


if __name__ == "__main__":
    main()
