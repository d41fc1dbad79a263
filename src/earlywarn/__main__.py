"""`python -m earlywarn`."""

from earlywarn.cli import main

main()
