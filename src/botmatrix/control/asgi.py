"""The application: routes, errors, pages, and the shield around them."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from botmatrix.control import assets, description, errors, health, metrics, pages
from botmatrix.control.api import (
    action,
    alerts,
    apps,
    audit,
    bindings,
    bot_access,
    bots,
    config,
    connect,
    core,
    executions,
    group_policies,
    groups,
    handshakes,
    hot,
    keys,
    live,
    login,
    logs,
    messages,
    plugin_packages,
    plugin_settings,
    plugins,
    queues,
    restart,
    routing,
    sessions,
    sim,
    skills,
    stats,
    tags,
    tasks,
    traces,
    users,
    workers,
)
from botmatrix.control.audit import AuditTrail
from botmatrix.control.parts import Parts
from botmatrix.control.shield import Shield
from botmatrix.version import VERSION


def make_app(parts: Parts) -> ASGIApp:
    """The whole control plane as one ASGI application."""
    app = FastAPI(
        title="BotMatrix",
        version=VERSION,
        description="The control plane of BotMatrix. Log in with `POST /api/login`.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=errors.documented(),
    )
    app.state.parts = parts
    errors.install(app)
    modules = (
        *(skills, action),  # what programs ask most: the routes are looked through in this order
        *(health, metrics, description, login, sessions, keys, users, bindings, audit),
        *(bot_access, apps, groups, handshakes, stats, logs, alerts),
        *(bots, workers, plugins, plugin_packages, plugin_settings, queues, routing, connect, core, hot),
        *(group_policies, assets, pages, messages, traces, live, config, restart, executions, tasks, tags, sim),
    )
    for module in modules:
        app.include_router(module.router)
    app.state.routes = [route for module in modules for route in module.router.routes if isinstance(route, APIRoute)]
    app.mount("/static", pages.static)
    return Shield(AuditTrail(app, parts.operations), root_path=parts.settings.root_path)
