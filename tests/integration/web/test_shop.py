"""What shops' pages load from the front."""

from flask.testing import FlaskClient


def test_the_module_may_be_loaded_by_any_page(nobody: FlaskClient) -> None:
    answer = nobody.get("/toile.js", headers={"Origin": "https://shop.example"})
    assert answer.status_code == 200
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "public" in answer.headers["Cache-Control"]
    assert "export class Toile" in answer.text


def test_a_page_that_has_the_module_is_told_so(nobody: FlaskClient) -> None:
    etag = nobody.get("/toile.js").headers["ETag"]
    again = nobody.get("/toile.js", headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")
