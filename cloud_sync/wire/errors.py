"""What is wrong with a message."""


class WireError(ValueError):
    """Bytes, a topic or a message that this version of the wire does not allow; the text is the quarantine's reason."""
