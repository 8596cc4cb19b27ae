"""Secrets of the settings from files: ``WANGGE_X_FILE`` names the file that holds ``WANGGE_X``.

What stands in the environment is seen by every child process and often by every user of the
machine; a file is seen by those who may read it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

MAX_BYTES = 64 * 1024


class SecretSettings(BaseSettings):
    """Settings whose secrets may stand in a file each; set in both places, nothing is guessed."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - named by pydantic
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the files it names."""
        return init_settings, env_settings, SecretFiles(settings_cls)


class SecretFiles(PydanticBaseSettingsSource):
    """Reads the file of each secret that has one."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The text of the file, without white space around it; None where no file is named.

        Raises
        ------
        BadInput
            Names the variable and the file, never what is in it.
        """
        name = f"{self.config.get('env_prefix', '')}{field_name}".upper()
        path = os.environ.get(f"{name}_FILE")
        if path is None or not _is_secret(field):
            return None, field_name, False
        if name in os.environ:
            raise BadInput(
                Problem(f"{name} is set as well", "Keep one of them", field=f"{name}_FILE")
            )
        try:
            with Path(path).open(encoding="utf-8") as file:
                text = file.read(MAX_BYTES).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(
                Problem(f"{path} cannot be read", "Name a file of text", field=f"{name}_FILE")
            ) from error
        if not text:
            raise BadInput(Problem(f"{path} is empty", "Write the secret", field=f"{name}_FILE"))
        return text, field_name, False

    def __call__(self) -> dict[str, Any]:
        """All that are named."""
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))
