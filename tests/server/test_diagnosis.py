"""Each probe of `lakou doctor`, and that none can hide the others."""

import socket
from pathlib import Path

import pytest

from lakou.kernel.errors import Unavailable
from lakou.server import diagnosis, secretfile
from lakou.server.config import Config
from lakou.server.diagnosis import Finding


def test_a_new_folder_is_fine_and_stays_unmade(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path / "new")
    assert diagnosis.data_folder(config).state == "ok"
    assert diagnosis.secrets(config).state == "ok"
    assert diagnosis.migrations(config).state == "ok"
    assert not (tmp_path / "new").exists()


def test_a_file_in_place_of_the_folder_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert diagnosis.data_folder(Config(data_dir=tmp_path / "data")).state == "wrong"


def test_open_secrets_are_wrong(tmp_path: Path) -> None:
    path = secretfile.ensure(tmp_path)
    assert diagnosis.secrets(Config(data_dir=tmp_path)).state == "ok"
    path.chmod(0o640)
    assert "chmod 600" in diagnosis.secrets(Config(data_dir=tmp_path)).remedy


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert diagnosis.port(Config(data_dir=tmp_path, port=number)).state == "warning"
    assert diagnosis.port(Config(data_dir=tmp_path, port=number)).state == "ok"


@pytest.mark.parametrize(
    ("host", "base_url", "state"),
    [
        ("127.0.0.1", None, "ok"),
        ("0.0.0.0", None, "warning"),  # noqa: S104
        ("0.0.0.0", "https://lakou.example", "ok"),  # noqa: S104
    ],
)
def test_an_open_address_without_tls_is_told(tmp_path: Path, host: str, base_url: str | None, state: str) -> None:
    assert diagnosis.exposure(Config(data_dir=tmp_path, host=host, base_url=base_url)).state == state


def test_too_few_open_files_are_told(tmp_path: Path) -> None:
    assert diagnosis.open_files(Config(data_dir=tmp_path, max_connections=10)).state == "ok"
    assert diagnosis.open_files(Config(data_dir=tmp_path, max_connections=10**8)).state == "warning"


def test_a_probe_that_fails_is_a_finding_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(config: Config) -> Finding:
        raise Unavailable("no answer", hint="start it")

    def broken(config: Config) -> Finding:
        raise ZeroDivisionError

    monkeypatch.setattr(diagnosis, "PROBES", (refused, broken, diagnosis.python))
    found = diagnosis.diagnose(Config(data_dir=tmp_path))
    assert [finding.state for finding in found] == ["wrong", "unknown", "ok"]
    assert found[0] == Finding("Refused", "wrong", "no answer", "start it")


def test_everything_but_fine_says_what_to_do(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path / "new", database_url="postgresql://me:s3cret@127.0.0.1:1/x")
    found = diagnosis.diagnose(config)
    assert {finding.subject: finding.state for finding in found}["Database"] == "wrong"
    assert all(finding.remedy for finding in found if finding.state == "wrong")
    assert "s3cret" not in str(found)


def test_administrators_without_second_factor_or_printed_codes_are_told(civic: Path) -> None:
    from allauth.mfa.models import Authenticator

    from lakou.identity.actions import break_glass
    from tests.identity.conftest import make_person

    config = Config(data_dir=civic.parent)
    assert diagnosis.people(Config(data_dir=civic.parent / "new")).state == "ok"
    assert diagnosis.people(config).state == "ok"
    person = make_person(role="administrator")
    assert "without a second factor" in diagnosis.people(config).text
    Authenticator.objects.create(user=person, type="totp", data={})
    assert "break-glass" in diagnosis.people(config).remedy
    break_glass.print_sheet(person=person)
    assert diagnosis.people(config).state == "ok"
