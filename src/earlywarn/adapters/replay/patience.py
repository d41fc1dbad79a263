"""What a replay asks brokers that may be away: it is asked until it is answered, and says that it waits."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

from earlywarn.adapters.kafka.rights import REFUSED, may_not_read
from earlywarn.adapters.kafka.topic_identity import NoAnswerError
from earlywarn.errors import ConfigError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_RETRY_SECONDS = 0.5


def patiently(question: Callable[[], _T], what: str, meanwhile: Callable[[], None] = lambda: None) -> _T:
    """Return the answer to a question, however long no broker gives it; `meanwhile` may raise to end the wait.

    `what` is asked after: a topic, where a right on it is needed.

    Raises:
        ConfigError: this user may not ask.
    """
    while True:
        try:
            return question()
        except NoAnswerError as error:
            told = str(error)
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            if reason.code() in REFUSED:
                raise ConfigError(may_not_read(what)) from error
            told = reason.str()
        _log.warning("%s: waiting for a broker that answers (%s)", what, told)
        meanwhile()
        time.sleep(_RETRY_SECONDS)
