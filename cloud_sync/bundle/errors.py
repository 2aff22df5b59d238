"""What can be wrong with a bundle; each message is one line a person can act on."""

from cloud_sync.errors import SyncFatalError


class BundleError(SyncFatalError):
    """A file, a key or a folder that cannot be used."""


class CutError(BundleError):
    """The file ends, or is damaged, in the middle: what is before it is good."""


class ForgedError(BundleError):
    """A block that the expected key did not sign, or that is not where it was signed to be."""
