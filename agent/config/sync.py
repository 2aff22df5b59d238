"""The way to the cloud."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from agent.config.fields import Section
from agent.config.window import WindowConfig
from cloud_sync.errors import SyncFatalError
from cloud_sync.mqtt import Address

LEAST_DAILY_BYTES = 100_000


class SyncConfig(Section):
    """The way to the cloud. Without ``broker`` the box keeps everything to itself."""

    broker: str | None = None
    confirm: Literal["cloud", "broker"] = "cloud"
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    protocol: Literal["5", "3.1.1"] = "5"
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 15  # a broker that is gone is noticed 10 s later than this
    health_every_s: Annotated[int, Field(ge=5, le=86400)] = 60
    daily_bytes: Annotated[int, Field(ge=0)] = 0  # on the wire, both directions, by UTC day; 0: no limit
    windows: tuple[WindowConfig, ...] = ()  # none: always online
    alarms_wake: bool = True  # outside the windows

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

    @field_validator("daily_bytes")
    @classmethod
    def _enough_to_say_anything(cls, daily_bytes: int) -> int:
        if 0 < daily_bytes < LEAST_DAILY_BYTES:
            raise ValueError(f"{daily_bytes} is less than a day needs; allowed: 0, or from {LEAST_DAILY_BYTES}")
        return daily_bytes

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: give both or neither")
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username beside it")
        return self
