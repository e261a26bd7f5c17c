# reports.py
from pathlib import Path
from tempfile import TemporaryDirectory

from tinybeam import Response, Router

router = Router()
folder = TemporaryDirectory()
newest = Path(folder.name, "2026.csv")
newest.write_text("month,sold\nJanuary,7\n")


@router.get("/report")
def show(request):
    return newest


@router.get("/reports/{name:path}")
def download(request, name):
    return Response.file(name, root=folder.name, filename=name)
