"""The replayer as a program: `python services/replayer INPUT...` is `earlywarn replay INPUT...`."""

import sys

from earlywarn.cli import main

sys.argv.insert(1, "replay")
main()
