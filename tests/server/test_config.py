"""One configuration: command line over environment over file over default."""

from pathlib import Path

import pytest

from lakou.kernel.errors import BadRequest
from lakou.server.compose import read_limits
from lakou.server.config import OPTIONS, Config, environment, load


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_option_is_a_field_of_the_configuration() -> None:
    assert {option.field for option in OPTIONS} == set(Config.__struct_fields__) - {"file", "tables"}


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    assert load(environ={}) == Config(data_dir=tmp_path / "data")


def test_command_line_wins_over_environment_over_file(tmp_path: Path) -> None:
    (tmp_path / "lakou.toml").write_text('port = 1001\nhost = "10.0.0.1"\nlog_level = "error"\n')
    found = load({"port": 1003, "host": None}, environ={"LAKOU_PORT": "1002", "LAKOU_HOST": "10.0.0.2"})
    assert (found.port, found.host, found.log_level) == (1003, "10.0.0.2", "error")


def test_an_empty_variable_counts_as_not_given() -> None:
    assert load(environ={"LAKOU_PORT": "", "LAKOU_DATABASE_URL": ""}).database_url is None


def test_lists_are_read_from_text_and_from_toml(tmp_path: Path) -> None:
    assert load(environ={"LAKOU_ALLOWED_HOSTS": "a.example, b.example"}).allowed_hosts == ("a.example", "b.example")
    (tmp_path / "lakou.toml").write_text('allowed_hosts = ["a.example"]\n')
    assert load(environ={}).allowed_hosts == ("a.example",)


def test_tables_of_the_file_are_kept_for_their_packages(tmp_path: Path) -> None:
    (tmp_path / "lakou.toml").write_text("[connectors.usgs_earthquakes]\nenabled = true\n")
    assert load(environ={}).table("connectors")["usgs_earthquakes"]["enabled"] is True
    assert load(environ={}).table("channels") == {}


def test_the_environment_of_a_child_gives_the_same_configuration(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[connectors]\nallow_hosts = []\n")
    given = {"port": 9000, "database_url": "postgresql://db/x", "workers": 3, "role": "data", "max_connections": 99}
    first = load(given, environ={"LAKOU_ALLOWED_HOSTS": "a,b"}, file=tmp_path / "own.toml")
    assert load(environ=environment(first)) == first


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"LAKOU_PORT": "http"}, "LAKOU_PORT"),
        ({"LAKOU_PORT": "0"}, "LAKOU_PORT"),
        ({"LAKOU_PORT": "70000"}, "LAKOU_PORT"),
        ({"LAKOU_WORKERS": "2"}, "LAKOU_WORKERS"),
        ({"LAKOU_ROLE": "data"}, "LAKOU_ROLE"),
        ({"LAKOU_ROLE": "king"}, "LAKOU_ROLE"),
        ({"LAKOU_DATABASE_URL": "mysql://x"}, "LAKOU_DATABASE_URL"),
        ({"LAKOU_BASE_URL": "lakou.example"}, "LAKOU_BASE_URL"),
        ({"LAKOU_LOG_LEVEL": "loud"}, "LAKOU_LOG_LEVEL"),
        ({"LAKOU_SMTP_URL": "mail.example.org", "LAKOU_BASE_URL": "https://x.org"}, "LAKOU_SMTP_URL"),
        ({"LAKOU_SMTP_URL": "smtp://mail.example.org"}, "LAKOU_SMTP_URL"),
        ({"LAKOU_OPEN_SIGNUP": "on"}, "LAKOU_OPEN_SIGNUP"),
        ({"LAKOU_CONFIG": "missing.toml"}, "LAKOU_CONFIG"),
    ],
)
def test_a_bad_value_names_its_place_and_says_what_to_do(environ: dict[str, str], place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        load(environ=environ)
    assert caught.value.place == place
    assert caught.value.hint
    assert caught.value.error_code == "configuration"


@pytest.mark.parametrize("text", ["port =", "port = 1\nport = 2", 'colour = "red"', "port = [1]", "\ufeffport = x"])
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "lakou.toml").write_text(text)
    with pytest.raises(BadRequest) as caught:
        load(environ={})
    assert "lakou.toml" in (caught.value.place or "")


def test_a_table_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lakou.toml").write_text("connectors = 1\n")
    with pytest.raises(BadRequest):
        load(environ={})


def test_limits_come_from_their_table(tmp_path: Path) -> None:
    (tmp_path / "lakou.toml").write_text("[limits]\nmax_top = 500\nrate_anonymous = 0\n")
    limits = read_limits(load(environ={}))
    assert (limits.max_top, limits.rate_anonymous, limits.default_top) == (500, 0, 100)


@pytest.mark.parametrize(
    "line", ["max_tops = 5", "max_top = 0", "max_top = -1", 'max_top = "5"', "timeout_signed_s = nan"]
)
def test_a_limit_that_cannot_be_used_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "lakou.toml").write_text(f"[limits]\n{line}\n")
    with pytest.raises(BadRequest) as caught:
        read_limits(load(environ={}))
    assert (caught.value.place or "").startswith("limits")
