"""Serve the page: its bundled files, and signing in by a link."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from fersearch.service.problems import ProblemError
from fersearch.service.security import COOKIE, Reader, gate_of

DIST = Path(__file__).parent / "web" / "dist"
BUILD = "python -m fersearch.service.web.build"
MISSING = f"""<!doctype html><title>fersearch</title><body style="font: 1rem sans-serif; margin: 3rem">
<h1>The page is not built</h1><p>It was left out when fersearch was installed, because npm was not available.
Build it with <code>{BUILD}</code>; the API works without it.</p>"""
SIGNED_OUT = """<!doctype html><html lang="en"><title>fersearch</title>
<body style="font: 1rem sans-serif; margin: 3rem">
<h1>Sign in</h1><p>Open the link that <code>fersearch serve</code> printed, or paste a token:</p>
<form><label>Token <input name="token" type="password" autocomplete="off" required></label>
<button>Sign in</button></form>"""

router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
def page(request: Request, token: str | None = None) -> Response:
    """Send the page; a token in the address signs the browser in and is then removed from the address."""
    gate = gate_of(request)
    if token is not None:
        account = gate.token(token)
        return HTMLResponse(SIGNED_OUT, 401) if account is None else gate.sign_in(account, request)
    if gate.token(request.cookies.get(COOKIE)) is None:
        return HTMLResponse(SIGNED_OUT, 401)
    index = DIST / "index.html"
    return FileResponse(index) if index.is_file() else HTMLResponse(MISSING, 503)


@router.get("/web/{file}")
def asset(file: str, _: Reader) -> FileResponse:
    """Send a file of the page; its name changes with its content."""
    path = DIST / file
    if path.parent != DIST or not path.is_file():
        raise ProblemError(404, f"there is no file {file[:100]}")
    return FileResponse(path, headers={"Cache-Control": "private, max-age=31536000, immutable"})


@router.post("/sign-out", status_code=204)
def sign_out(request: Request, response: Response) -> None:
    """End the browser's session."""
    gate = gate_of(request)
    if secret := request.cookies.get(COOKIE):
        gate.store.close_session(secret)
    response.delete_cookie(COOKIE, path=gate.settings.root_path or "/")
