"""What ends a command of the cloud side."""


class SyncFatalError(Exception):
    """The program cannot start or go on; the message is one line a person can act on."""
