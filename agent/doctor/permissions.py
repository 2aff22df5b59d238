"""Who may read and write what: the data directory, the model, and the files that hold secrets."""

import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path

from agent.config import Config, public_address
from agent.doctor.finding import Finding, Level

_OTHERS = stat.S_IRWXO
_GROUP_WRITES = stat.S_IWGRP


def look_at_permissions(config: Config, file: Path) -> list[Finding]:
    """Check the data directory, and each file that the configuration names, as the user that runs this."""
    secrets = {
        "sync.key_file": config.sync.key_file,
        "sync.password_file": config.sync.password_file,
        "page.password_file": config.page.password_file,
    }
    if any(public_address(camera.source) != camera.source for camera in config.cameras):
        secrets["camera passwords"] = file
    public = {
        "model.path": config.model.path,
        "sync.ca_file": config.sync.ca_file,
        "sync.cert_file": config.sync.cert_file,
    }
    found = [_data_dir(config.storage.data_dir)]
    found += [_readable(name, path) for name, path in public.items() if path is not None]
    found += [_secret(name, path) for name, path in secrets.items() if path is not None]
    return found


def _data_dir(folder: Path) -> Finding:
    place = next(each for each in (folder, *folder.parents) if each.exists())
    who = _user()
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        text = f"user {who} may not write in {place}"
        return Finding("data directory", Level.FAIL, text, f"chown -R {who} {place}, or run as its owner")
    if place != folder:
        return Finding("data directory", Level.OK, f"{folder} will be made, by user {who}")
    foreign = [
        path.name
        for path in folder.iterdir()
        if not os.access(
            path, os.R_OK if path.name == "models" else os.R_OK | os.W_OK
        )  # installed models are only read
    ]
    if foreign:
        text = f"user {who} may not write {', '.join(sorted(foreign)[:3])} in {folder}"
        return Finding(
            "data directory", Level.FAIL, text, f"chown -R {who} {folder}: another user ran the agent before"
        )
    return Finding("data directory", Level.OK, f"{folder}, writable by user {who}")


def _readable(name: str, path: Path) -> Finding:
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            with path.open("rb"):
                pass
    except OSError as error:
        return Finding(
            name, Level.FAIL, f"cannot read {path}: {error.strerror}", f"make it readable for user {_user()}"
        )
    return Finding(name, Level.OK, f"{path} is readable")


def _secret(name: str, path: Path) -> Finding:
    found = _readable(name, path)
    if found.level is not Level.OK:
        return found
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (_OTHERS | _GROUP_WRITES):
        text = f"{path} has mode {mode:03o}: more than its owner and readers of its group can get at it"
        return Finding(name, Level.FAIL if mode & _OTHERS else Level.WARN, text, f"chmod 640 {path}")
    return Finding(name, Level.OK, f"{path} has mode {mode:03o}")


def _user() -> str:
    with suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())
