# plugs.py
from hmac import compare_digest

from tinybeam import Router
from tinybeam.plugs import compress


def request_id(request):
    def mark(response):
        response.set_header("X-Request-Id", request.id)
        return response

    request.before_send(mark)
    return request


def require_token(request):
    given = request.headers.get("authorization", "").encode()
    if not compare_digest(given, b"Bearer open-sesame"):
        return 401, {"WWW-Authenticate": "Bearer"}, "who are you?"
    request.assigns["user"] = "admin"
    return request


router = Router(through=[compress(), request_id])
router.get("/", do="yay")

with router.scope("/admin", through=[require_token]):

    @router.get("/users/{id:int}")
    def show(request, id):
        return {"id": id, "for": request.assigns["user"]}
