"""Addresses: what is a path, and what of an address may be shown."""

import re

_USER_AND_PASSWORD = re.compile(
    r"^(?P<start>[a-z0-9+.-]+://[^/:@?#]*):(?!\d{1,5}([/?#]|$)).*@", re.IGNORECASE | re.DOTALL
)
_SECRET_PARAMETER = re.compile(  # some cameras want it in the path: /user=admin_password=secret_channel=1
    r"(?P<key>[?&/_;][^=&/?;]*(?:pass|pwd|secret|token|key|auth)[^=&/?;]*=)[^&#]*", re.IGNORECASE
)


def is_path(source: str) -> bool:
    """Tell whether a camera's source is a path on this machine rather than an address."""
    return not re.match(r"[a-z0-9+.-]+:", source, re.IGNORECASE)


def public_address(address: str) -> str:
    """Return an address as it may be shown and logged: passwords and secret parameters are replaced by ``***``.

    A password that holds ``/`` or ``@`` is removed whole, too, at the price of more than it.
    """
    hidden = _USER_AND_PASSWORD.sub(r"\g<start>:***@", address)
    return _SECRET_PARAMETER.sub(r"\g<key>***", hidden)
