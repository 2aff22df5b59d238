"""Which classes a part of the configuration asks for."""

from collections.abc import Sequence
from difflib import get_close_matches

from agent.errors import ConfigError

_ALIKE = 0.7  # of 1: a slip of the finger, not another word


def chosen_classes(wanted: Sequence[str], class_names: Sequence[str], *, where: str) -> frozenset[int]:
    """Return the indices of the classes wanted; all of them where none is named.

    Args:
        wanted: Names from the configuration.
        class_names: Those of the model, by class index.
        where: Whose classes these are, for the message.

    Raises:
        ConfigError: A name is not known to the model.
    """
    unknown = sorted(set(wanted) - set(class_names))
    if unknown:
        found = ", ".join(hinted(name, class_names) for name in unknown)
        raise ConfigError(f"{where}: classes: found {found}; the model knows {', '.join(class_names)}")
    return frozenset(index for index, name in enumerate(class_names) if not wanted or name in wanted)


def hinted(name: str, class_names: Sequence[str]) -> str:
    """Return a name that the model does not know, in quotes, with the one that was meant where that is likely."""
    folded = {each.casefold(): each for each in class_names}
    close = get_close_matches(name.casefold().strip(), folded, n=1, cutoff=_ALIKE)
    return f"{name!r} (did you mean {folded[close[0]]!r}?)" if close else repr(name)
