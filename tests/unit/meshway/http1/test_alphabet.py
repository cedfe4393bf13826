from hypothesis import given
from hypothesis import strategies as st

from meshway.http1.alphabet import table


@given(st.binary(), st.binary())
def test_a_text_is_of_an_alphabet_when_it_holds_bytes_of_it_and_no_others(alphabet: bytes, text: bytes) -> None:
    is_of = bool(text) and all(code in alphabet for code in text)
    assert text.translate(table(alphabet)).isdigit() == is_of
