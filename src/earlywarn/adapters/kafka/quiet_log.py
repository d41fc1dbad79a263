"""A logger for what librdkafka would print by itself, on the screen and many times over, while a broker is gone."""

import logging

QUIET = logging.getLogger(__name__)
QUIET.propagate = False  # what goes wrong is raised; librdkafka also calls it fatal to have lost a race
QUIET.addHandler(logging.NullHandler())
