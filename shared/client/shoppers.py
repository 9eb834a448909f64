"""Shoppers: what they said, and what suits them."""

from collections.abc import Sequence

from shared.client.calls import Calls, body_of, part_of
from shared.client.http import Request
from shared.schemas.shoppers import (
    Erasure,
    PreferenceBatch,
    PreferenceRequest,
    Recommendations,
    Recorded,
    TasteView,
)


class ShopperCalls(Calls):
    """Shoppers: what they said, and what suits them."""

    def prefer(self, ref: str, said: Sequence[PreferenceRequest]) -> Recorded:
        """Record what a shopper said, up to 500 preferences, all or none; again does no harm."""
        body = body_of(PreferenceBatch(preferences=tuple(said)))
        return self._post(f"{_shopper(ref)}/preferences", Recorded, json_body=body)

    def taste(self, ref: str, *, catalog: str | None = None) -> TasteView:
        """Return what is believed of a shopper, about a catalog or the one indexed last."""
        request = Request("GET", f"{_shopper(ref)}/taste", query={"catalog": catalog})
        return self._read(request, TasteView)

    def recommendations(
        self,
        ref: str,
        *,
        catalog: str | None = None,
        count: int = 10,
        relevance: float | None = None,
    ) -> Recommendations:
        """Return garments for a shopper, the best first."""
        query = {"catalog": catalog, "count": count, "relevance": relevance}
        request = Request("GET", f"{_shopper(ref)}/recommendations", query=query)
        return self._read(request, Recommendations)

    def erase(self, ref: str) -> Erasure:
        """Forget a shopper for good; returns the receipt."""
        return self._read(Request("DELETE", _shopper(ref)), Erasure)


def _shopper(ref: str) -> str:
    return f"/v1/shoppers/{part_of(ref)}"
