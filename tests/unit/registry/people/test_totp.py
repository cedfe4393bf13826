"""Codes of an app, against the vectors of the RFCs."""

import pytest

from registry.people.totp import STEP_S, code_at, new_secret, shown_secret, step_of, uri_of

SECRET = b"12345678901234567890"


def test_codes_are_those_of_rfc_4226_appendix_d() -> None:
    codes = "755224 287082 359152 969429 338314 254676 287922 162583 399871 520489"
    assert " ".join(code_at(SECRET, step) for step in range(10)) == codes


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_rfc_6238_appendix_b(at: int, code: str) -> None:
    """Their last six digits."""
    assert code_at(SECRET, at // STEP_S) == code
    assert step_of(SECRET, code, float(at)) == at // STEP_S


def test_a_clock_may_be_off_by_one_step() -> None:
    code = code_at(SECRET, 100)
    assert [step_of(SECRET, code, step * 30.0) for step in range(98, 103)] == [None, 100, 100, 100, None]
    for wrong in ("", "0", code + "0", code[:-1], "１２３４５６"):
        assert step_of(SECRET, wrong, 3000.0) is None


def test_a_secret_is_told_as_apps_read_it() -> None:
    assert len(new_secret()) == 20
    assert new_secret() != new_secret()
    assert shown_secret(SECRET) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert uri_of(SECRET, "ann") == (
        "otpauth://totp/Meshway%3Aann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Meshway&digits=6&period=30"
    )
