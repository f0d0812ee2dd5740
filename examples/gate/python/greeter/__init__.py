"""Greets whoever may be greeted."""


class NotAllowed(Exception):
    """Somebody may not be greeted."""


def greet(name, may_greet):
    if not may_greet(name):
        raise NotAllowed(name)
    return f"Hello, {name}!"
