"""What can go wrong on the box, by what is to be done about it.

Every message is one line a person can act on: the command line prints it as it stands, without a traceback.
"""


class HedgerowError(Exception):
    """Base of every error that this program raises on purpose."""


class RetryableError(HedgerowError):
    """The same call may succeed later: a camera that is away, a full queue, a busy disk."""


class RejectedError(HedgerowError):
    """This item can never succeed: a corrupt image, a malformed message. Quarantine it and go on."""


class FatalError(HedgerowError):
    """The program cannot start or go on: a bad configuration, a missing model, a directory that is not writable."""


class ConfigError(FatalError):
    """The configuration is wrong; the message names the field, what was found and what is allowed."""
