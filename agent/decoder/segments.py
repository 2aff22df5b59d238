"""Pieces of shared memory in which pictures go from the decoder to the agent."""

import math
import mmap
import os
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
"""Of any shape."""

_MOST_KEPT = 8  # a slot, an analysis, a page and a gate hold one each


class Segments:
    """The decoder's side: writes each picture into a piece that nobody reads any more."""

    def __init__(self) -> None:
        """Start with none."""
        self._maps: dict[int, mmap.mmap] = {}
        self._free: list[int] = []
        self._last = 0

    def release(self, numbers: Iterable[int]) -> None:
        """Take back pieces that the agent does not read any more."""
        self._free += [number for number in numbers if number in self._maps]

    def write(self, parts: Sequence[Bytes]) -> tuple[dict[str, Any], int | None]:
        """Copy the parts of a picture, in any layout, into a piece, one after another.

        Returns:
            What the agent must know of it, and the descriptor of the piece where it is new, to be sent and closed.
        """
        number, descriptor = self._piece(sum(part.size for part in parts))
        begin = 0
        for part in parts:
            np.copyto(np.frombuffer(self._maps[number], np.uint8, part.size, begin).reshape(part.shape), part)
            begin += part.size
        return {"segment": number, "shapes": [part.shape for part in parts], "kept": list(self._maps)}, descriptor

    def close(self) -> None:
        """Let go of all pieces; those that the agent still reads live on with it."""
        self._maps.clear()  # each is unmapped as the last array on it goes

    def _piece(self, size: int) -> tuple[int, int | None]:
        while self._free:
            number = self._free.pop()
            if number in self._maps and len(self._maps[number]) >= size:
                return number, None
            self._maps.pop(number, None)
        while len(self._maps) >= _MOST_KEPT:
            self._maps.pop(next(iter(self._maps)))  # whoever reads it goes on reading it; it is never written again
        self._last += 1
        descriptor = os.memfd_create("hedgerow-picture", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, size)
        self._maps[self._last] = mmap.mmap(descriptor, size)
        return self._last, descriptor


class _Lease:
    """A piece that is read. numpy keeps it for as long as any view of it lives; then the piece is free."""

    def __init__(self, piece: Bytes, number: int, freed: deque[int]) -> None:
        self._piece, self._number, self._freed = piece, number, freed
        address = piece.__array_interface__["data"][0]
        self.__array_interface__ = {"shape": piece.shape, "typestr": "|u1", "data": (address, True), "version": 3}

    def __del__(self) -> None:
        self._freed.append(self._number)


class MappedSegments:
    """The agent's side: images that are read where the decoder wrote them, without a copy."""

    def __init__(self) -> None:
        """Start with none."""
        self._pieces: dict[int, Bytes] = {}
        self._freed: deque[int] = deque()

    def freed(self) -> list[int]:
        """Return, once, the pieces of images that nobody holds any more."""
        return [self._freed.popleft() for _ in range(len(self._freed))]

    def parts(self, message: dict[str, Any], descriptor: int | None) -> list[Bytes]:
        """Return the parts of the picture of which the decoder told. They cannot be written to.

        Raises:
            ValueError: The message does not fit its piece.
            OSError: The piece cannot be mapped.
        """
        number = int(message["segment"])
        shapes = [tuple(int(side) for side in shape) for shape in message["shapes"]]
        if descriptor is not None:
            self._pieces[number] = np.frombuffer(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ), np.uint8)
        kept = set(message["kept"])
        self._pieces = {known: piece for known, piece in self._pieces.items() if known in kept}
        piece = self._pieces.get(number)
        sizes = [math.prod(shape) for shape in shapes]
        if piece is None or min(sides for shape in shapes for sides in shape) < 1 or sum(sizes) > piece.size:
            raise ValueError("a picture that does not fit its memory")
        leased = np.asarray(_Lease(piece, number, self._freed))
        ends = accumulate(sizes)
        return [leased[end - size : end].reshape(shape) for shape, size, end in zip(shapes, sizes, ends, strict=True)]
