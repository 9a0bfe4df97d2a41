"""Messages reach a trial in the order sent."""

import asyncio
import subprocess
import sys

from fersearch.engines.ray.board import Board


def test_messages_are_received_in_the_order_sent_whatever_order_ray_calls_in():
    async def received():
        board = Board()
        for number in (0, 2, 1, 4, 3):
            await board.send("trial", number, {"number": number})
        return [await board.receive("trial") for _ in range(5)]

    assert [message["number"] for message in asyncio.run(received())] == [0, 1, 2, 3, 4]


def test_nothing_is_received_once_a_trial_is_dropped():
    async def received():
        board = Board()
        await board.send("trial", 0, {})
        await board.close("trial")
        return await board.receive("trial"), vars(board)

    message, left = asyncio.run(received())
    assert message is None
    assert not any(left.values())


def test_what_workers_load_for_it_is_not_ray_tune():
    code = "import sys, fersearch.engines.ray.board; sys.exit('ray.tune' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
