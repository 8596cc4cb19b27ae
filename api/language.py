"""Which of the two languages a client wants its sentences in."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Final

from fastapi import Depends, Header

from grids.incidents.asking import Language

LONGEST: Final = 200


@lru_cache(maxsize=256)
def preferred(accepted: str) -> Language:
    """The better wanted of Chinese and English, of an ``Accept-Language``; else Chinese.

    What is no such list, or longer than anybody's, says nothing.
    """
    wanted = {"zh": 0.0, "en": 0.0}
    for part in accepted[:LONGEST].split(","):
        name, _, weight = part.strip().lower().partition(";")
        language = name.partition("-")[0].strip()
        if language in wanted:
            try:
                value = float(weight.strip().removeprefix("q=") or 1)
            except ValueError:
                value = 0.0
            wanted[language] = max(wanted[language], value)
    return "en" if wanted["en"] > wanted["zh"] else "zh"


def get_language(
    accept_language: Annotated[
        str | None, Header(description="Language of sentences: zh or en", examples=["zh-CN"])
    ] = None,
) -> Language:
    """The language of a request's sentences."""
    return preferred((accept_language or "")[:LONGEST])


LanguageIn = Annotated[Language, Depends(get_language)]
