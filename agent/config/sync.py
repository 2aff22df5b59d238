"""The way to the cloud."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from agent.config.fields import Section
from cloud_sync.errors import SyncFatalError
from cloud_sync.mqtt import Address


class SyncConfig(Section):
    """The way to the cloud. Without ``broker`` the box keeps everything to itself."""

    broker: str | None = None
    confirm: Literal["cloud", "broker"] = "cloud"
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 15
    health_every_s: Annotated[int, Field(ge=5, le=86400)] = 60

    @field_validator("broker")
    @classmethod
    def _broker_url(cls, broker: str | None) -> str | None:
        if broker is None:
            return None
        try:
            Address.parse(broker)
        except SyncFatalError as error:
            raise ValueError(str(error)) from None
        return broker

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: give both or neither")
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username beside it")
        return self
