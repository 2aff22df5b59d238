"""The service manager: does anything start the agent again, and notice when it hangs?"""

import shutil
import subprocess

from agent.doctor.finding import Finding, Level

UNIT = "hedgerow-agent.service"
_TIMEOUT_S = 5.0
_INSTALL = "install systemd/hedgerow-agent.service, see README"


def look_at_service() -> list[Finding]:
    """Check that systemd runs the agent with a watchdog."""
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return [_warn("there is no systemd here: nothing starts the agent again when it ends or hangs", _INSTALL)]
    wanted = "LoadState,ActiveState,WatchdogUSec,Restart"
    try:
        done = subprocess.run(
            [systemctl, "show", UNIT, f"--property={wanted}"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return [_warn("systemctl does not answer", "look at the machine: systemctl status")]
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return [_warn(f"systemd does not run this machine: {reason}", "something else must start the agent again")]
    return [judge_unit(dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line))]


def judge_unit(facts: dict[str, str]) -> Finding:
    """Judge what ``systemctl show`` says of the unit."""
    if facts.get("LoadState") != "loaded":
        return _warn(f"{UNIT} is not installed", _INSTALL)
    if facts.get("WatchdogUSec", "0") in {"0", "infinity"}:
        return _warn(f"{UNIT} has no watchdog: an agent that hangs stays hanging", "give it WatchdogSec=90")
    if facts.get("Restart") in {"no", None}:
        return _warn(f"{UNIT} is not started again when it ends", "give it Restart=always")
    text = f"{UNIT} is {facts.get('ActiveState', 'unknown')}, watchdog {facts['WatchdogUSec']}"
    return Finding("service", Level.OK, text)


def _warn(text: str, advice: str) -> Finding:
    return Finding("service", Level.WARN, text, advice)
