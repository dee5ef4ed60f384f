"""The search without a network: a browser starts no worker from a file, so the search's is given to it as text.

The theme's own way is a script from another server, which a page that is read from a folder may not reach.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

FOREIGN = '<script src="https://unpkg.com/iframe-worker/shim"></script>'
SCRIPT = """\
if (location.protocol === "file:") {
  const source = %s;
  const Native = window.Worker;
  window.Worker = function (_, options) {
    return new Native(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), options);
  };
}
"""


def put_into(site: Path) -> None:
    """Write the script beside the search's index, and name it in every page in place of the foreign one."""
    (worker,) = site.glob("assets/javascripts/workers/search.*.min.js")
    script = site / "search" / "worker.js"
    script.write_text(SCRIPT % json.dumps(worker.read_text(encoding="utf-8")), encoding="utf-8")
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        own = f'<script src="{Path(os.path.relpath(script, page.parent)).as_posix()}"></script>'
        page.write_text(text.replace(FOREIGN, own), encoding="utf-8")
        if "https://unpkg.com" in page.read_text(encoding="utf-8"):
            raise ValueError(f"{page.name} still loads a script from another server")
