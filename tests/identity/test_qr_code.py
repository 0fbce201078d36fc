"""The QR code as part of the page."""

import re

from lakou.identity import qr_code


def test_it_has_its_finder_patterns_and_a_quiet_zone() -> None:
    drawn = qr_code.draw("otpauth://totp/anne", "Code")
    size = re.search(r'viewBox="0 0 (\d+) \1"', drawn)
    assert size
    quiet, far = qr_code.QUIET_ZONE, int(size[1]) - qr_code.QUIET_ZONE - 7
    for x, y in ((quiet, quiet), (far, quiet), (quiet, far)):
        assert f"M{x} {y}h7v1h-7z" in drawn
    assert min(int(y) for y in re.findall(r"M\d+ (\d+)h", drawn)) == quiet


def test_it_holds_no_style_and_no_text_of_others_as_markup() -> None:
    drawn = qr_code.draw("otpauth://totp/<script>", '"><script>')
    assert "style" not in drawn
    assert "<script" not in drawn
