"""What can be wrong with units, editions, and with who is asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gis.errors import Conflict, Forbidden, NotFound, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnitNotFound(NotFound):
    """No administrative unit of that code at that time."""


class EditionNotFound(NotFound):
    """No edition of that number, or none in force for that area."""


class EditionConflict(Conflict):
    """The edition is not in the state that the step needs."""


class NotSignedIn(Unauthenticated):
    """Nobody, or nobody any more: the credential is missing, unknown, ended or expired."""


class NotAllowed(Forbidden):
    """The caller's role has no such right.

    Parameters
    ----------
    rights
        Keys of those that were asked for, any of which would have done.
    """

    def __init__(self, text: str, rights: Sequence[str] = ()) -> None:
        self.rights = tuple(rights)
        super().__init__(text)


class OtherSite(NotAllowed):
    """A page that is none of wangge's made the caller's browser ask, or might have."""


class SignInRefused(Unauthenticated):
    """Login or password are wrong, which of them is not said; or the account is closed."""


class CodeNeeded(Unauthenticated):
    """The password is right, and the account asks for a second factor."""


class CodeRefused(Unauthenticated):
    """The code of the second factor is wrong, too old, or was used before."""


class AccountNotFound(NotFound):
    """No account of that login or id, or none that the caller administers."""


class AccountConflict(Conflict):
    """The login or person has an account already, or the account is not in the state for it."""


class GrantNotFound(NotFound):
    """No such grant, session or key in force, or none that is the caller's to end."""
