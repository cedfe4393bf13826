from hypothesis import given
from hypothesis import strategies as st

from meshway.http1.alphabet import STRAY, table


@given(st.binary(), st.binary())
def test_a_text_has_a_stray_exactly_when_a_byte_of_it_is_not_in_the_alphabet(alphabet: bytes, text: bytes) -> None:
    assert (text.translate(table(alphabet)).find(STRAY) >= 0) == any(code not in alphabet for code in text)
