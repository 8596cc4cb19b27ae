"""Counts in sentences: ``1 unit``, ``2 units``."""

from __future__ import annotations


def counted(count: int, noun: str, nouns: str | None = None) -> str:
    """A count with its noun, which takes an ``s`` unless another plural is given.

    Some nouns are followed by more words (``row that repeats``): then give both forms.
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def verb(count: int, one: str, many: str) -> str:
    """The form of a verb, or of any word, that fits a count."""
    return one if count == 1 else many
