"""One upload window."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.cron import CronTrigger
from pydantic import Field, field_validator

from agent.config.fields import Section

_BEFORE_A_LEAP_DAY = datetime(2024, 1, 1, tzinfo=UTC)


class WindowConfig(Section):
    """A time at which the box may be online: it begins when ``cron`` says, and lasts ``minutes``."""

    cron: str
    minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60)]
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{timezone!r} is no time zone; allowed: UTC, or a name such as Europe/Berlin") from None
        return timezone

    @field_validator("cron")
    @classmethod
    def _cron_expression(cls, cron: str) -> str:
        fields = cron.split()
        if len(fields) != 5:
            raise ValueError(f"{cron!r} has {len(fields)} fields; allowed: minute hour day month weekday")
        if any(character.isdigit() for character in fields[4]):
            # Sunday is 0 for cron and 6 for APScheduler: a box that is online on the wrong day is found out late.
            raise ValueError(f"weekday {fields[4]!r}; allowed: names, as mon, mon-fri or sat,sun")
        try:
            trigger = CronTrigger.from_crontab(cron, timezone="UTC")
        except ValueError as error:
            raise ValueError(f"{cron!r} is no cron expression: {error}") from None
        if trigger.get_next_fire_time(None, _BEFORE_A_LEAP_DAY) is None:
            raise ValueError(f"{cron!r} never comes")
        return cron
