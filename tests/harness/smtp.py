"""A real mail server for tests: Debian's exim4-daemon-light, on loopback, as nobody in particular.

It takes mail over STARTTLS from who has logged in, and keeps every message as a file. Its certificate is made for
`localhost` at the start. `refused@…` is an address that it does not take.
"""

from __future__ import annotations

import contextlib
import email.policy
import os
import shutil
import smtplib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

from tests.harness.server import free_port

EXIM = shutil.which("exim4", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
USER, PASSWORD = "lakou", "p@ss:w/ord%"
START_TIMEOUT_S = 10.0

CONFIGURATION = """
exim_path = {folder}/exim
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/pid
primary_hostname = mail.example.org
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
deliver_drop_privilege
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts = *
tls_certificate = {folder}/certificate.pem
tls_privatekey = {folder}/key.pem
acl_smtp_rcpt = recipient
acl_smtp_data = accept
begin acl
recipient:
  deny message = no such mailbox
    local_parts = refused
  accept authenticated = *
    encrypted = *
  deny message = log in first
begin routers
every_address:
  driver = accept
  transport = folder
begin transports
folder:
  driver = appendfile
  directory = {folder}/mail
  create_directory
  maildir_format
  envelope_to_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_advertise_condition = ${{if def:tls_in_cipher}}
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""


class MailServer:
    """One running exim. `url` is what `smtp_url` is set to; `certificate` what a client has to trust."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.certificate = folder / "certificate.pem"
        self._process: subprocess.Popen[bytes] | None = None
        self._read: set[Path] = set()

    @property
    def url(self) -> str:
        return f"smtp://{USER}:p%40ss%3Aw%2Ford%25@localhost:{self.port}"

    def prepare(self) -> None:
        """Write certificate and configuration, once."""
        assert EXIM
        # Without its setuid bit it is what its user is, and nothing more.
        shutil.copyfile(EXIM, self.folder / "exim")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "certificate.pem"],
            cwd=self.folder, capture_output=True, check=True,
        )  # fmt: skip
        text = CONFIGURATION.format(folder=self.folder, port=self.port, user=USER, password=PASSWORD)
        (self.folder / "exim.conf").write_text(text, encoding="utf-8")
        (self.folder / "exim").chmod(0o755)
        (self.folder / "exim.conf").chmod(0o644)
        if _is_root():
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, "Debian-exim", "Debian-exim")
            self.certificate.chmod(0o644)

    def start(self) -> None:
        """Start, or start again on the same port, and wait until it greets."""
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [self.folder / "exim", "-C", self.folder / "exim.conf", "-bdf"],
                stdout=out,
                stderr=out,
                cwd=self.folder,
                # Exim delivers nothing as root.
                **({"user": "Debian-exim", "group": "Debian-exim", "extra_groups": []} if _is_root() else {}),
            )
        end = time.monotonic() + START_TIMEOUT_S
        while True:
            with contextlib.suppress(OSError), smtplib.SMTP("127.0.0.1", self.port, timeout=2):
                return
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError(f"exim did not start: {(self.folder / 'out').read_text('utf-8')[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop; what was taken stays."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def next_message(self, to: str, timeout_s: float = 10.0) -> EmailMessage:
        """The next message to an address that nobody has read yet."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            for path in sorted((self.folder / "mail" / "new").glob("*")):
                if path in self._read:
                    continue
                message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                assert isinstance(message, EmailMessage)
                if message["Envelope-to"] == to:
                    self._read.add(path)
                    return message
            time.sleep(0.05)
        raise AssertionError(f"no mail to {to}: {(self.folder / 'mainlog').read_text('utf-8')[-2000:]}")


def _is_root() -> bool:
    return os.geteuid() == 0


@contextlib.contextmanager
def mail_server() -> Iterator[MailServer]:
    """A started server in a folder of its own, which is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="lakou-mail-"))
    folder.chmod(0o755)
    server = MailServer(folder)
    try:
        server.prepare()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
