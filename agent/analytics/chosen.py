"""Which classes a part of the configuration asks for."""

from collections.abc import Sequence

from agent.errors import ConfigError


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
        raise ConfigError(
            f"{where}: classes: found {', '.join(map(repr, unknown))}; the model knows {', '.join(class_names)}"
        )
    return frozenset(index for index, name in enumerate(class_names) if not wanted or name in wanted)
