from gateway.limits.share import Share, digest


def held(balance: int, mark: int) -> Share:
    share = Share(limit=10, era=1)
    share.balance, share.mark = balance, mark
    return share


def test_all_that_is_held_is_given_back_once() -> None:
    share = held(3, mark=7)
    for _ in range(2):
        share.put_back()
    assert (share.balance, share.back, share.back_mark) == (0, 3, 7)


def test_what_is_held_of_one_grant_adds_up_and_that_of_an_older_one_is_void() -> None:
    share = held(3, mark=7)
    share.put_back()
    share.balance = 2
    share.put_back()
    assert (share.back, share.back_mark) == (5, 7)
    share.balance, share.mark = 1, 8
    share.put_back()
    assert (share.back, share.back_mark) == (1, 8)


def test_a_loan_is_not_given_back() -> None:
    share = held(-2, mark=7)
    share.put_back()
    assert (share.balance, share.back) == (-2, 0)


def test_a_key_leaves_the_worker_neither_long_nor_legible() -> None:
    secret = "Bearer " + "x" * 5000
    assert len(digest(secret)) == len(digest("a")) == 32
    assert secret[:4] not in digest(secret)
    assert digest("a") != digest("b")
    assert digest("\udcff") != digest("\udcfe"), "bytes that are no text are keys as well"
    assert digest("") == "", "of a limit that has one count only"
