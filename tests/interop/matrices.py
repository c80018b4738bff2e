"""A hub with one application, for each framework and both directions: it is dialled by the nexus, or dials it."""

from __future__ import annotations

from collections.abc import Callable

from tests.interop.conftest import APP_TOKEN, WORKER_TOKEN, Matrix, koishi, python_app

NewMatrix = Callable[[], Matrix]


def nonebot2_dialled(new: NewMatrix, token: str = APP_TOKEN) -> Matrix:
    command = python_app("nonebot2")
    matrix = new()
    matrix.dial("/onebot/v11/ws", token)
    matrix.start_app(command, PORT=str(matrix.app_port), TOKEN=APP_TOKEN)
    matrix.start()
    return matrix


def nonebot2_dialling(new: NewMatrix, token: str = WORKER_TOKEN) -> Matrix:
    command = python_app("nonebot2")
    matrix = new()
    matrix.start()
    matrix.start_app(command, FORWARD=matrix.roads_for_apps(), TOKEN=token)
    return matrix


def aiocqhttp_dialled(new: NewMatrix, token: str = APP_TOKEN) -> Matrix:
    command = python_app("aiocqhttp")
    matrix = new()
    matrix.dial("/ws/", token)
    matrix.start_app(command, PORT=str(matrix.app_port), TOKEN=APP_TOKEN)
    matrix.start()
    return matrix


def koishi_dialled(new: NewMatrix) -> Matrix:
    """Koishi checks no token when it is dialled."""
    command, env = koishi()
    matrix = new()
    matrix.dial("/onebot", token="")
    matrix.start_app(command, PORT=str(matrix.app_port), **env)
    matrix.start()
    return matrix


def koishi_dialling(new: NewMatrix, token: str = WORKER_TOKEN) -> Matrix:
    command, env = koishi()
    matrix = new()
    matrix.start()
    matrix.start_app(command, FORWARD=matrix.roads_for_apps(), TOKEN=token, **env)
    return matrix
