"""Frames are cut right wherever the network cut the bytes."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.feed.frames import BINARY, CLOSE, LONGEST, PING, TEXT, Broken, FrameReader


def frame(opcode: int, payload: bytes, *, last: bool = True) -> bytes:
    size = len(payload)
    head = (
        bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 65536 else b"\x7f" + struct.pack(">Q", size)
    )
    return bytes([opcode | (0x80 if last else 0)]) + head + payload


def read(chunks: list[bytes]) -> list[tuple[int, bytes]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        reader, got = FrameReader(ours), []
        for chunk in chunks:
            theirs.sendall(chunk)
            while (message := reader.read()) is not None:
                got.append(message)
    return got


sizes = st.sampled_from([0, 1, 125, 126, 127, 3000])


@given(st.lists(st.tuples(st.sampled_from([TEXT, BINARY, PING]), sizes), max_size=6), st.randoms(use_true_random=False))
def test_any_cut_gives_the_same_messages(messages: list[tuple[int, int]], chance: object) -> None:
    sent = [
        (opcode, bytes([at % 256]) * min(size, 125 if opcode == PING else size)) for at, (opcode, size) in enumerate(messages)
    ]
    stream = b"".join(frame(*one) for one in sent)
    reader = FrameReader(socket.socket())
    got, at = [], 0
    while at < len(stream):
        step = chance.randint(1, 700)  # type: ignore[attr-defined]
        reader.feed(stream[at : at + step])
        at += step
        while reader.waiting:
            got.append(reader.read())
    assert got == sent


def test_fragments_are_joined_and_a_ping_between_them_is_its_own() -> None:
    parts = frame(TEXT, b"ab", last=False) + frame(PING, b"?") + frame(0, b"cd", last=False) + frame(0, b"ef")
    assert read([parts]) == [(PING, b"?"), (TEXT, b"abcdef")]


def test_a_large_frame_and_a_close_are_read() -> None:
    assert read([frame(TEXT, b"x" * 70_000), frame(CLOSE, b"\x11\x31gone")]) == [(TEXT, b"x" * 70_000), (CLOSE, b"\x11\x31gone")]


@pytest.mark.parametrize(
    "bad",
    [
        bytes([0xC1, 0]),
        bytes([0x81, 0x80, 1, 2, 3, 4]),
        frame(0, b"x"),
        frame(3, b"x"),
        frame(TEXT, b"a", last=False) + frame(TEXT, b"b"),
        b"\x81\x7f" + struct.pack(">Q", LONGEST + 1),
    ],
)
def test_what_no_server_may_send_breaks_the_connection(bad: bytes) -> None:
    with pytest.raises(Broken):
        FrameReader(socket.socket()).feed(bad)


def test_silence_is_none_and_an_end_without_a_word_is_said() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(0.01)
        reader = FrameReader(ours)
        assert reader.read() is None
        theirs.close()
        with pytest.raises(EOFError):
            reader.read()
