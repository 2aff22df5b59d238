"""A recording that starts again at its end."""

from agent.decoder.source import Picture, Source

_SINGLE_PICTURE_NS = 1_000_000_000


class RepeatedSource:
    """Plays a recording again and again; numbers and times of its pictures keep rising."""

    def __init__(self, source: Source) -> None:
        """Wrap a source, not yet open."""
        self._source = source
        self._first_index = self._first_ns = 0  # of this round
        self._last_index = self._last_ns = -1
        self._step_ns = _SINGLE_PICTURE_NS

    @property
    def recorded(self) -> bool:
        """As the source it repeats."""
        return self._source.recorded

    @property
    def skipped(self) -> int:
        """As the source it repeats, over all rounds."""
        return self._source.skipped

    def open(self) -> None:
        """Open the source. Raises SourceError."""
        self._source.open()

    def read(self, not_before_ns: int | None = None, /) -> Picture | None:
        """Return the next picture; None only where a live source ends. Raises SourceError."""
        picture = self._source.read(None if not_before_ns is None else not_before_ns - self._first_ns)
        if picture is None and self._source.recorded:
            self._rewind()
            picture = self._source.read()
        if picture is None or picture.stream_ns is None:
            return picture
        index, stream_ns = self._first_index + picture.index, self._first_ns + picture.stream_ns
        if self._last_index >= 0:
            self._step_ns = stream_ns - self._last_ns
        self._last_index, self._last_ns = index, stream_ns
        return Picture(index, stream_ns, picture.to_pixels, picture.to_small)

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _rewind(self) -> None:
        self._first_index, self._first_ns = self._last_index + 1, self._last_ns + self._step_ns
        self._source.close()
        self._source.open()
