"""A PostgreSQL server of a test run's own, in a temporary folder."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import psycopg

from tests.waiting import free_ports

PASSWORD = "for tests only"


def find_programs() -> Path | None:
    """Folder of the newest installed server, which Debian keeps off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    program = shutil.which("postgres")
    return Path(program).resolve().parent if program else None


class Postgres:
    """A server on loopback that a test may stop, kill and start again. As root it runs as the user ``postgres``."""

    def __init__(self, programs: Path) -> None:
        """Make the cluster; ``start`` runs it.

        Its folder is not pytest's: that belongs to root alone, and the next run of the tests may remove it.
        """
        (self.port,) = free_ports(1)
        self._programs = programs
        self._folder = folder = Path(mkdtemp(prefix="hedgerow-postgres-"))
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        secret = folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        options = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync", "--encoding=UTF8"]
        self._run(programs / "initdb", f"--pgdata={self._data}", "--locale=C.UTF-8", *options)

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)),
                    *("-h", "127.0.0.1", "-k", str(self._folder), "-c", "max_connections=50"),
                ],
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                cwd=self._folder,
            )
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text(encoding="utf-8")
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it as an administrator does who does not wait: sessions are cut, what is committed stays."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut does, its children included."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        """End it, and delete what it stored."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        quoted = password.replace(" ", "%20")
        return f"postgresql://postgres:{quoted}@127.0.0.1:{self.port}/{database}"

    def local_url(self, url: str) -> str:
        """Return the address of a database through a socket in the file system, which no network namespace hides."""
        return (
            f"postgresql://postgres:{PASSWORD.replace(' ', '%20')}@/{_name(url)}?host={self._folder}&port={self.port}"
        )

    def create_database(self, template: str = "template1") -> str:
        """Make an empty database, or a copy of one that nobody is connected to; return its address."""
        name = f"test_{uuid4().hex[:12]}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)")

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: Path, *arguments: str) -> None:
        extra = [] if self._user else None
        command = [str(program), *arguments]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            user=self._user,
            group=self._user,
            extra_groups=extra,
            cwd=self._folder,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def _name(url: str) -> str:
    return url.rpartition("/")[2]
