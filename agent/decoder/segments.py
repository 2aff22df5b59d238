"""Pieces of shared memory in which pictures go from the decoder to the agent."""

import mmap
import os
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

from agent.types import Image

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

    def write(self, image: Image) -> tuple[dict[str, Any], int | None]:
        """Copy a picture, (H, W, 3) or turned, into a piece.

        Returns:
            What the agent must know of it, and the descriptor of the piece where it is new, to be sent and closed.
        """
        number, descriptor = self._piece(image.nbytes)
        np.copyto(np.frombuffer(self._maps[number], np.uint8, image.size).reshape(image.shape), image)
        return {"segment": number, "shape": image.shape, "kept": list(self._maps)}, descriptor

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
    """An image in a piece. numpy keeps it for as long as any view of the image lives; then the piece is free."""

    def __init__(self, piece: Image, shape: tuple[int, ...], number: int, freed: deque[int]) -> None:
        self._piece, self._number, self._freed = piece, number, freed
        address = piece.__array_interface__["data"][0]
        self.__array_interface__ = {"shape": shape, "typestr": "|u1", "data": (address, True), "version": 3}

    def __del__(self) -> None:
        self._freed.append(self._number)


class MappedSegments:
    """The agent's side: images that are read where the decoder wrote them, without a copy."""

    def __init__(self) -> None:
        """Start with none."""
        self._pieces: dict[int, Image] = {}
        self._freed: deque[int] = deque()

    def freed(self) -> list[int]:
        """Return, once, the pieces of images that nobody holds any more."""
        return [self._freed.popleft() for _ in range(len(self._freed))]

    def image(self, message: dict[str, Any], descriptor: int | None) -> Image:
        """Return the image of which the decoder told. It cannot be written to.

        Raises:
            ValueError: The message does not fit its piece.
            OSError: The piece cannot be mapped.
        """
        number, shape = int(message["segment"]), tuple(int(side) for side in message["shape"])
        if descriptor is not None:
            self._pieces[number] = np.frombuffer(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ), np.uint8)
        kept = set(message["kept"])
        self._pieces = {known: piece for known, piece in self._pieces.items() if known in kept}
        piece = self._pieces.get(number)
        if piece is None or len(shape) != 3 or shape[2] != 3 or min(shape) < 1 or np.prod(shape) > piece.size:
            raise ValueError("a picture that does not fit its memory")
        return np.asarray(_Lease(piece, shape, number, self._freed))
