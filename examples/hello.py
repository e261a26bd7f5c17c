# hello.py
from tinybeam import Router

router = Router()
router.get("/", do="yay")


@router.get("/users/{id:int}")
def show(request, id):
    return {"id": id}


@router.post("/echo")
def echo(request):
    return request.body
