"""How the pages of identity write instants and browsers."""

from datetime import UTC, datetime

import pytest

from lakou.identity.templatetags.identity import browser, moment


def test_an_instant_is_written_in_the_zone_of_the_territory() -> None:
    assert moment(datetime(2026, 11, 26, 3, 5, tzinfo=UTC)) == "25 novembre 2026, 23\u202fh\u202f05"
    assert moment(None) == "–"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("curl/8.5.0", "curl"),
        ("", "inconnu"),
    ],
)
def test_a_browser_is_named_as_far_as_its_word_goes(said: str, shown: str) -> None:
    assert browser(said) == shown
