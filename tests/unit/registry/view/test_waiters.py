from registry.view.waiters import Waiters


def test_a_scope_wakes_its_waiters_once_and_no_others() -> None:
    waiters, woken = Waiters(), []
    waiters.add(("shop", "books"), lambda: woken.append("books"))
    waiters.add(("shop",), lambda: woken.append("shop"))
    waiters.wake([("shop", "books")])
    waiters.wake([("shop", "books")])
    assert woken == ["books"]
    assert len(waiters) == 1


def test_a_wait_that_is_taken_back_is_not_woken_and_leaves_nothing() -> None:
    waiters, woken = Waiters(), []
    cancel = waiters.add((), lambda: woken.append(1))
    cancel()
    cancel()
    waiters.wake([()])
    assert woken == []
    assert len(waiters) == 0


def test_one_that_waits_again_while_it_is_woken_is_not_woken_twice() -> None:
    waiters, woken = Waiters(), []

    def again() -> None:
        woken.append(1)
        waiters.add((), lambda: woken.append(2))

    waiters.add((), again)
    waiters.wake([()])
    assert woken == [1]
    waiters.wake([()])
    assert woken == [1, 2]
