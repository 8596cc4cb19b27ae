"""Shape of an error, RFC 9457, as ``api.errors`` answers it."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ProblemOut(BaseModel):
    """One thing that is wrong, where, and what to do about it."""

    field: str | None = Field(examples=["crs"])
    reason: str = Field(examples=["no coordinate system is called 'gcj20'"])
    remedy: str = Field(examples=["Did you mean gcj02?"])
    row: int | None = Field(None, description="Of many things sent at once: which, from 1")


class ProblemDetails(BaseModel):
    """Why a request was not served; ``problems`` names every field at once."""

    type: str = Field(examples=["urn:wangge:error:BadInput"])
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str
    problems: list[ProblemOut] | None = None
