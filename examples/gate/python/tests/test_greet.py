import pytest

from greeter import NotAllowed, greet


def test_greets_by_name():
    assert greet("Ada", lambda name: True) == "Hello, Ada!"


def test_refuses_whom_it_may_not_greet():
    with pytest.raises(NotAllowed):
        greet("Mallory", lambda name: False)
