"""The embedded PostgreSQL cluster: made, started, recovered and stopped by wangge itself.

One folder holds it. Any number of wangge processes may use it at once: each holds a shared lock
on ``users.lock`` for as long as it lives, and the one that finds itself the last stops the server.
The kernel drops the lock of a process that is killed, so nothing has to be cleaned up by hand.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from gis.errors import Missing, Unavailable, WanggeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event

log = logging.getLogger("wangge.cluster")
INSTALL_LINE: Final = "apt-get install -y postgresql-15-postgis-3"
DATABASE: Final = "wangge"
SUPERUSER: Final = "wangge"
# sun_path holds 108 bytes with its closing zero; PostgreSQL adds "/.s.PGSQL.5432.lock".
MAX_SOCKET_FOLDER_BYTES: Final = 107 - len("/.s.PGSQL.5432.lock")
START_TIMEOUT_S: Final = 60
# After a kill -9 of the postmaster its children need a moment to see it and let go of the memory.
ORPHANS_LEAVE_S: Final = 20
MIN_MAJOR: Final = 15


class ClusterError(WanggeError):
    """PostgreSQL's own programs refused; the text carries what they said."""


class ClusterBroken(Unavailable):
    """The server is there but does not come up; its log says why."""


def find_bin(major: int | None = None) -> Path:
    """Folder of PostgreSQL's programs, the newest major version or the one asked for.

    Raises
    ------
    Missing
        No PostgreSQL >= 15, not the major that made the data, or none with PostGIS.
    """
    found: dict[int, Path] = {}
    for initdb in Path("/usr/lib/postgresql").glob("*/bin/initdb"):
        if (initdb.parent / "postgres").exists() and initdb.parents[1].name.isdigit():
            found[int(initdb.parents[1].name)] = initdb.parent
    if major is not None:
        if major < MIN_MAJOR:
            raise Missing(
                f"this data was made by PostgreSQL {major}, and wangge needs {MIN_MAJOR} or newer: "
                "upgrade it with pg_upgrade, or restore a backup into a new folder"
            )
        if major not in found:
            have = ", ".join(map(str, sorted(found))) or "none"
            raise Missing(
                f"this data was made by PostgreSQL {major}, and the machine has {have}",
                f"apt-get install -y postgresql-{major}-postgis-3",
            )
        usable = {major: found[major]}
    else:
        usable = {number: folder for number, folder in found.items() if number >= MIN_MAJOR}
    if not usable:
        old = f" (found: {', '.join(map(str, sorted(found)))})" if found else ""
        raise Missing(f"PostgreSQL {MIN_MAJOR} or newer is not installed{old}", INSTALL_LINE)
    for number in sorted(usable, reverse=True):
        if Path(f"/usr/share/postgresql/{number}/extension/postgis.control").exists():
            return usable[number]
    newest = max(usable)
    raise Missing(
        f"PostgreSQL {newest} is installed, but without PostGIS",
        f"apt-get install -y postgresql-{newest}-postgis-3",
    )


class Cluster:
    """A private PostgreSQL cluster in one folder, reached by a unix socket only.

    Parameters
    ----------
    folder
        Made if absent. Holds ``pgdata/``, ``postgresql.log`` and the lock files.
    durable
        False switches fsync off; a power cut then loses the cluster. For tests only.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder.absolute()
        self.pgdata = self.folder / "pgdata"
        self.log = self.folder / "postgresql.log"
        self.durable = durable
        self._users: IO[str] | None = None

    # -- who runs it ------------------------------------------------------------------------

    @property
    def _account(self) -> pwd.struct_passwd:
        """The account the server runs as: ours, or ``postgres`` when we are root."""
        if os.geteuid() != 0:
            return pwd.getpwuid(os.geteuid())
        try:
            return pwd.getpwnam("postgres")
        except KeyError:
            raise Missing(
                "PostgreSQL refuses to run as root and there is no account 'postgres'",
                INSTALL_LINE,
            ) from None

    def _run(self, command: Sequence[str | Path], *, timeout: float = 300) -> str:
        """Run one of PostgreSQL's programs as its account; its stderr when it fails."""
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = self._account
            identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        # A file, not a pipe: the server inherits it from pg_ctl and would keep a pipe open.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(  # noqa: S603 - our own programs, no shell
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                timeout=timeout,
                check=False,
                **identity,
            )
            output.seek(0)
            text = output.read().strip()
        if done.returncode != 0:
            program = Path(str(command[0])).name
            raise ClusterError(f"{program} failed ({done.returncode}): {text}")
        return text

    # -- places -----------------------------------------------------------------------------

    @property
    def socket_folder(self) -> Path:
        """Folder of the unix socket: inside ours, or a short one where that path is too long."""
        inside = self.folder / "socket"
        if len(os.fsencode(inside)) <= MAX_SOCKET_FOLDER_BYTES:
            return inside
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"wangge-{name}"

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the wangge database in this cluster."""
        return f"postgresql+psycopg://{SUPERUSER}@/{DATABASE}?host={self.socket_folder}"

    def _own(self, path: Path, mode: int) -> None:
        """Make a folder that belongs to the server's account and to nobody else."""
        path.mkdir(mode=mode, exist_ok=True)
        owner = self._account.pw_uid
        about = path.lstat()
        if not stat.S_ISDIR(about.st_mode):
            raise ClusterError(f"{path} is in the way: a folder of wangge's is wanted there")
        if about.st_uid != owner:
            if os.geteuid() != 0:
                raise ClusterError(
                    f"{path} belongs to another account (uid {about.st_uid}); "
                    "choose another folder with WANGGE_DATA_DIR"
                )
            os.chown(path, owner, self._account.pw_gid)
        path.chmod(mode)

    @contextmanager
    def _exclusive(self, name: str) -> Iterator[None]:
        with (self.folder / name).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # -- life -------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether the folder holds a cluster already."""
        return (self.pgdata / "PG_VERSION").exists()

    def is_running(self) -> bool:
        """Whether a server of this folder answers for its process id."""
        return self._server_pid() is not None

    def _server_pid(self) -> int | None:
        try:
            pid = int((self.pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, ValueError, PermissionError):
            return None
        # A recycled process id must not be taken for our server.
        is_ours = b"postgres" in command[0] and os.fsencode(self.pgdata) in command
        return pid if is_ours else None

    def start(self) -> str:
        """Make the cluster if there is none, start it if it is down; its URL.

        Safe to call from several processes at once, and after a ``kill -9`` of any of them or
        of the server: the next start recovers.

        Raises
        ------
        Missing
            PostgreSQL or PostGIS is not installed, or not in the version that made the data.
        ClusterBroken
            The server does not come up; the end of its log is in the text.
        """
        self._make_folder()
        with self._exclusive("start.lock"):
            self._hold()
            if not self.exists():
                self._initdb()
            if not self.is_running():
                self._start_server()
            self._create_database()
        return self.url

    def _make_folder(self) -> None:
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._own(self.folder, 0o700)
            self._own(self.socket_folder, 0o700)
        except PermissionError as error:
            raise ClusterError(
                f"cannot use {self.folder}: {error.strerror}. Choose a folder of yours with "
                "WANGGE_DATA_DIR or --data-dir"
            ) from None
        unreachable = [
            parent
            for parent in self.folder.parents
            if os.geteuid() == 0
            and not parent.stat().st_mode & stat.S_IXOTH
            and parent.stat().st_uid != self._account.pw_uid
        ]
        if unreachable:
            raise ClusterError(
                f"the account '{self._account.pw_name}' cannot enter {unreachable[-1]}: "
                "choose a folder outside it with WANGGE_DATA_DIR or --data-dir"
            )

    def _hold(self) -> None:
        """Count this process among the users of the cluster, until it ends."""
        if self._users is None:
            self._users = (self.folder / "users.lock").open("w")
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def _initdb(self) -> None:
        # Under another name first: a half-made cluster is never taken for a whole one.
        half = self.folder / "pgdata.new"
        shutil.rmtree(half, ignore_errors=True)
        command = [find_bin() / "initdb", "-D", half, "-U", SUPERUSER, "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C.UTF-8", "--no-instructions", "-k"]
        if not self.durable:
            command.append("-N")
        self._run([str(part) for part in command])
        half.rename(self.pgdata)

    def _write_configuration(self) -> None:
        """Write the settings wangge answers for, at every start, so that an upgrade brings them."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        shared_mb = max(128, min(2048, memory // 8 // 2**20))
        lines = [
            "# Written by wangge at every start; own settings go to postgresql.auto.conf",
            "listen_addresses = ''",
            f"unix_socket_directories = '{self.socket_folder}'",
            "unix_socket_permissions = 0700",
            "max_connections = 120",
            f"shared_buffers = {shared_mb}MB",
            f"effective_cache_size = {shared_mb * 3}MB",
            "work_mem = 16MB",
            "maintenance_work_mem = 256MB",
            "max_wal_size = 2GB",
            "random_page_cost = 1.1",
            # Entries of mere reads reach the disk after three times this at the latest.
            "wal_writer_delay = 50ms",
            "jit = off",
            "timezone = 'UTC'",
            "log_timezone = 'UTC'",
            "log_line_prefix = '%m [%p] '",
            # A statement's text, and the row that an error shows, can hold an address or a name;
            # the log is no place for them.
            "log_min_error_statement = panic",
            "log_error_verbosity = terse",
            "log_parameter_max_length = 0",
            "log_parameter_max_length_on_error = 0",
        ]
        if not self.durable:
            lines += ["fsync = off", "synchronous_commit = off", "full_page_writes = off"]
        path = self.pgdata / "wangge.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        main = self.pgdata / "postgresql.conf"
        include = "include_if_exists = 'wangge.conf'"
        text = main.read_text(encoding="utf-8")
        if include not in text:
            main.write_text(f"{text}\n{include}\n", encoding="utf-8")
        if os.geteuid() == 0:
            for file in (path, main):
                os.chown(file, self._account.pw_uid, self._account.pw_gid)

    def _start_server(self) -> None:
        major = int((self.pgdata / "PG_VERSION").read_text().strip())
        programs = find_bin(major)
        self._write_configuration()
        # The process id in these belongs to no server of ours (is_running looked), and PostgreSQL
        # would refuse to start where it is a zombie or has been given to another program since.
        (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
        (self.socket_folder / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        deadline = time.monotonic() + ORPHANS_LEAVE_S
        while True:
            try:
                self._run(
                    [
                        *(programs / "pg_ctl", "start", "-w", "-s"),
                        *("-t", str(START_TIMEOUT_S), "-D", self.pgdata, "-l", self.log),
                    ]
                )
            except ClusterError as error:
                last = self._log_tail()
                is_leaving = "still in use" in last or "already in use" in last
                if is_leaving and time.monotonic() < deadline:
                    time.sleep(0.5)
                    continue
                raise ClusterBroken(
                    f"PostgreSQL does not start in {self.folder}: {error}\n{last}"
                ) from error
            return

    def _log_tail(self, lines: int = 12) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def _create_database(self) -> None:
        programs = find_bin(int((self.pgdata / "PG_VERSION").read_text().strip()))
        asked = [programs / "psql", "-h", self.socket_folder, "-U", SUPERUSER, "-d", "postgres"]
        asked += ["-XAtqc", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"]  # noqa: S608
        if self._run([str(part) for part in asked]) != "1":
            self._run(
                [
                    *(programs / "createdb", "-h", self.socket_folder, "-U", SUPERUSER),
                    *("-T", "template0", "-E", "UTF8", DATABASE),
                ]
            )

    def keep_running(self, stopping: Event, *, every_s: float = 1.0) -> None:
        """Start the server again whenever it has died, until told to stop.

        For a thread of a process that serves.
        """
        while not stopping.wait(every_s):
            if self.is_running():
                continue
            log.warning("PostgreSQL in %s has died: starting it again", self.folder)
            try:
                self.start()
            except WanggeError as error:
                log.warning("it does not start yet: %s", error)

    def release(self) -> None:
        """Give the cluster up; the last user stops it. Call at most once, at the end."""
        if self._users is None:
            return
        with self._exclusive("start.lock"):
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # others still use it
            else:
                self.stop()
            finally:
                self._users.close()
                self._users = None

    def stop(self) -> None:
        """Stop the server now, whoever uses it; nothing happens when it is down."""
        if not self.is_running():
            return
        programs = find_bin(int((self.pgdata / "PG_VERSION").read_text().strip()))
        self._run([programs / "pg_ctl", "stop", "-w", "-s", "-m", "fast", "-D", self.pgdata])

    def kill(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Signal the postmaster: what a crash test does to it."""
        pid = self._server_pid()
        if pid is not None:
            os.kill(pid, sig)

    def version(self) -> str:
        """Full version of the server programs, such as ``15.18``."""
        text = self._run([find_bin() / "postgres", "--version"])
        found = re.search(r"\d+\.\d+", text)
        return found.group() if found else text
