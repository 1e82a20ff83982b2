"""Files that are attached to answers, sent and read over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from signoff.client.addresses import segment
from signoff.client.http_calls import HttpCalls


class FileCalls(HttpCalls):
    """Calls that carry bytes."""

    async def upload(
        self,
        run_id: str,
        key: str,
        data: bytes,
        *,
        name: str = "file",
        type: str = "application/octet-stream",  # noqa: A002 - the member's name
        file: str | None = None,
    ) -> dict[str, Any]:
        """Send a file for an answer to a request; return what the answer is to refer to it by (protocol, section 8.13).

        Args:
            run_id: the run that asked.
            key: the request, e.g. `claim:0`.
            data: the bytes.
            name: of the file.
            type: its media type.
            file: an id of your own: the same file under the same id again changes nothing. Random if None.

        Raises:
            PayloadTooLarge, UnsupportedMediaType: the request does not take it.
            NotInAudience, AlreadyDecided, Expired, …: the caller could not answer now.

        Example:
            >>> receipt = await client.upload("claim-1", "claim:0", data, name="receipt.pdf", type="application/pdf")
            >>> await client.answer("claim-1", "claim:0", value={"receipt": receipt}, seen_offset=row["revised"])
        """
        path = self._file_path(run_id, key, file or uuid.uuid4().hex)
        reply = await self._call("PUT", path, params={"name": name}, content=data, headers={"content-type": type})
        attachment: dict[str, Any] = reply["attachment"]
        return attachment

    async def download(self, run_id: str, key: str, attachment: Mapping[str, Any]) -> bytes:
        """Return the bytes of a file that a request has or shows, or that the caller has sent.

        Args:
            run_id, key: the request.
            attachment: as it stands in the row, or as `upload` returned it.

        Raises:
            Forbidden, NotFound: the caller may not have it, or it is gone.
        """
        return await self._bytes("GET", self._file_path(run_id, key, str(attachment["stream"]).rpartition("/")[2]))

    @staticmethod
    def _file_path(run_id: str, key: str, file: str) -> str:
        return f"/v1/runs/{segment(run_id)}/inputs/{segment(key)}/files/{segment(file)}"
