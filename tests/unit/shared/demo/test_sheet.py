from io import BytesIO

from PIL import Image

from shared.demo.sheet import Row, contact_sheet


def picture(colour: str, size: int = 28, mode: str = "RGB") -> bytes:
    target = BytesIO()
    Image.new("RGB", (size, size), colour).convert(mode).save(target, "PNG")
    return target.getvalue()


def test_every_design_stands_in_its_row() -> None:
    rows = [
        Row("red dress", [picture("#ff0000")] * 8),
        Row("blue coat", [picture("#0000ff", size=256)] * 3),
    ]
    with Image.open(BytesIO(contact_sheet(rows, title="drawn 1"))) as sheet:
        colours = {colour: n for n, colour in sheet.getcolors(1 << 24) or []}
    assert colours[(255, 0, 0)] == 8 * 96 * 96
    assert colours[(0, 0, 255)] == 3 * 96 * 96


def test_grey_designs_and_no_designs_make_a_sheet_too() -> None:
    grey = contact_sheet([Row("any", [picture("#808080", mode="L")])], title="grey")
    assert grey.startswith(b"\x89PNG")
    assert contact_sheet([], title="nothing").startswith(b"\x89PNG")
