"""Trend reports and alerts."""

from pathlib import Path
from urllib.parse import quote

from shared.client.calls import Calls, body_of, part_of
from shared.client.http import Request
from shared.schemas.alerts import Alert, AlertRequest, FiredAlert
from shared.schemas.boards import MoodboardRequest
from shared.schemas.jobs import Job
from shared.schemas.record import TrackRecord
from shared.schemas.reports import ReportView, TrendRequest
from shared.schemas.trends import Difference


class TrendCalls(Calls):
    """Trend reports and alerts."""

    def trend_report(self, request: TrendRequest | None = None) -> Job:
        """Make a trend report."""
        return self._post("/v1/trend-reports", Job, json_body=body_of(request or TrendRequest()))

    def report(self, report_id: str = "latest") -> ReportView:
        """Return a trend report, the newest where none is named."""
        return self._get(f"/v1/trend-reports/{part_of(report_id)}", ReportView)

    def reports(self) -> list[ReportView]:
        """Return all trend reports, newest first."""
        return list(self._every("/v1/trend-reports", ReportView))

    def difference(self, report_id: str = "latest") -> Difference | None:
        """Return what a report says that the one before it did not; None in the first."""
        return self._perhaps(f"/v1/trend-reports/{part_of(report_id)}/difference", Difference)

    def track_record(self, report_id: str = "latest") -> TrackRecord | None:
        """Return what earlier reports said, and what happened; None in the first report."""
        return self._perhaps(f"/v1/trend-reports/{part_of(report_id)}/record", TrackRecord)

    def moodboards(self, report_id: str = "latest", request: MoodboardRequest | None = None) -> Job:
        """Draw a report's moodboards, and next season's rack."""
        path = f"/v1/trend-reports/{part_of(report_id)}/moodboard"
        return self._post(path, Job, json_body=body_of(request or MoodboardRequest()))

    def add_alert(self, request: AlertRequest) -> Alert:
        """Ask to be told once when a value begins to rise or fall."""
        return self._post("/v1/trend-alerts", Alert, json_body=body_of(request))

    def alerts(self) -> list[Alert]:
        """Return all alerts, newest first, stopped ones too."""
        return list(self._every("/v1/trend-alerts", Alert))

    def fired_alerts(self, alert_id: str | None = None) -> list[FiredAlert]:
        """Return what fired, newest first: of one alert, or of all."""
        return list(self._every("/v1/trend-alerts/fired", FiredAlert, query={"alert": alert_id}))

    def stop_alert(self, alert_id: str) -> Alert:
        """Let an alert fire no more."""
        return self._read(Request("DELETE", f"/v1/trend-alerts/{part_of(alert_id)}"), Alert)

    def save_report_file(self, report_id: str, name: str, target: Path) -> Path:
        """Write one of a report's `files`, such as ``series.csv``, to a file."""
        return self.download(f"/v1/trend-reports/{part_of(report_id)}/files/{quote(name)}", target)
