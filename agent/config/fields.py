"""Types of fields that several sections share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""A name that is safe in an MQTT topic, a file name and a URL."""

NAME_RULE = "lower-case letters, digits, '-' and '_', at most 63, starting with a letter or digit"


class Section(BaseModel):
    """Base of every section: unknown keys are refused, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Share = Annotated[float, Field(ge=0, le=1)]
Point = tuple[Share, Share]
"""x and y as shares of the picture's width and height, from the upper left corner."""
