"""The replayer as a program: `python services/replayer INPUT...` is `earlywarn replay --probes INPUT...`."""

import sys

from earlywarn.cli import main

sys.argv[1:1] = ["replay", "--probes"]
main()
