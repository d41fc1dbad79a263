"""The replayer as a program: `python services/replayer INPUT...` is `earlywarn replay INPUT...`."""

import sys

from earlywarn.cli.app import run_app

sys.argv.insert(1, "replay")
run_app()
