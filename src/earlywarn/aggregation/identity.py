"""What is the same in copies of a transaction."""

Identity = str | tuple[str, str, str]
"""The id of a purchase whose source is not named; else kind, source and id."""


def identity(kind: str, source: str | None, transaction_id: str) -> Identity:
    """Return what is the same in copies. A refund under the id of its purchase is none, nor is another source's."""
    return (kind, source or "", transaction_id) if source or kind != "purchase" else transaction_id
