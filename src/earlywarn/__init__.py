"""earlywarn: streaming early warning of economic shocks from card transactions."""

from importlib.metadata import version

__version__ = version("earlywarn")
