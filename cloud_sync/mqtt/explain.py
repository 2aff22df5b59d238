"""What went wrong, in one line for a person."""

import socket
import ssl
from datetime import UTC, datetime

_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_*, of OpenSSL's x509_vfy.h
_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a client certificate (cert_file and key_file)",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that the client certificate has expired",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority that signed the client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept the client certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept the client certificate",
    "WRONG_VERSION_NUMBER": "what answers there speaks no TLS",
    "KEY_VALUES_MISMATCH": "certificate and key of the client do not belong together",
}


def explain(error: OSError | ValueError, address: str, *, utc_s: float | None = None) -> str:
    """Return the line. The order matters: most of these derive from each other.

    Args:
        error: From dialling, or from reading.
        address: Of the broker.
        utc_s: What the clock says, if it is to be named: a wrong one makes good certificates look bad.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate of {address} is not accepted: {_verdict(error, utc_s)}"
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return f"TLS with {address} fails: it hangs up, perhaps over the client certificate (cert_file and key_file)"
    if isinstance(error, ssl.SSLError):
        return f"TLS with {address} fails: {_ALERTS.get(error.reason or '', error.reason or str(error))}"
    if isinstance(error, socket.gaierror):
        return f"cannot find {address}: {error.strerror}"
    if isinstance(error, TimeoutError):
        return f"{address} does not answer"
    if isinstance(error, ConnectionRefusedError):
        return f"{address} refuses the connection: nobody listens there"
    if isinstance(error, OSError) and error.filename:
        return f"cannot read {error.filename}: {error.strerror}"
    return f"cannot connect to {address}: {error}"


def _verdict(error: ssl.SSLCertVerificationError, utc_s: float | None) -> str:
    if utc_s is None or error.verify_code not in (_NOT_YET_VALID, _EXPIRED):
        return error.verify_message
    now = datetime.fromtimestamp(utc_s, UTC)
    asks = "is it set?" if error.verify_code == _NOT_YET_VALID else "if that is right, the broker needs a new one"
    return f"{error.verify_message}; the clock of this machine says {now:%Y-%m-%d %H:%M} UTC: {asks}"
