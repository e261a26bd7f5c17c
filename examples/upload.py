# upload.py
import hashlib

from tinybeam import Router

router = Router()


@router.post("/checksums", stream=True, body_bytes_max=None)
def checksum(request):
    digest = hashlib.sha256()
    for part in request.stream():
        digest.update(part)
    return digest.hexdigest()


@router.put("/backup", stream=True, body_bytes_max=10_000_000_000)
def backup(request):
    return {"octets": request.save("backup.tar")}
