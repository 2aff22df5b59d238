"""Both runtimes report to their makers over the network; on a metered link, and for privacy, they may not."""

import os
import sys


def forbid_telemetry() -> None:
    """Shut out the runtimes' telemetry in this process; to be called before either is imported.

    OpenVINO sends an event as soon as it is imported, by the package ``openvino_telemetry``, and writes a client id
    into the home folder; where that package cannot be imported it uses a stub of its own that does nothing. ONNX
    Runtime 1.29 and newer reports sessions and models, and reads this variable when it is loaded.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None is how Python spells "no import"
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
