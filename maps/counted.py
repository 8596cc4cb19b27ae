"""Numbers of things in English: one incident, two incidents."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """The number with its noun, whose plural takes an s: ``1 incident``, ``1,200 incidents``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
