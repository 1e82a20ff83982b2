"""What goes wrong with TLS on the way to a server, in words."""

from __future__ import annotations

import ssl


def why_refused(error: BaseException, trust: str) -> str | None:
    """Tell why no connection was made; None: it was not for TLS.

    Args:
        error: what was raised.
        trust: the option of the URL that names the file of trusted authorities, e.g. `sslrootcert`.

    Example:
        >>> why_refused(TimeoutError(), "ca") is None
        True
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        found = error.verify_message.rstrip(".")
        if "mismatch" in found.lower():
            return f"the certificate it shows is another server's ({found}); connect by a name that stands in it"
        if "expired" in found or "not yet valid" in found:
            return f"the certificate it shows does not hold now ({found}); renew it, or set the clocks right"
        return (
            f"the certificate it shows is of no authority that is trusted here ({found}); let {trust} in the URL name "
            "the file of the authority that made it"
        )
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).lower().replace("_", " ")
        if "wrong version number" in reason or "record layer failure" in reason:
            return "it speaks no TLS there; correct the port, or set TLS up on the server"
        return f"TLS with it failed ({reason}); look whether it asks for a certificate of yours, and at its log"
    return None
