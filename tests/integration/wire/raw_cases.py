"""The table of raw HTTP/1.1 requests, whole.

The same rows are judged by the pure readers (tests/unit/meshway/http1/test_raw_table.py), by readers made lenient on
purpose (test_raw_table_can_fail.py there: rows that nothing can fail prove nothing), and over real sockets by what a
strict recording upstream received (test_raw_table.py here). A bug that was found adds its bytes.
"""

from tests.integration.wire.raw_case import RequestCase
from tests.integration.wire.raw_fields import FIELDS, HOP_BY_HOP
from tests.integration.wire.raw_framing import CHUNKS, FRAMING
from tests.integration.wire.raw_pipelined import PIPELINED
from tests.integration.wire.raw_start_lines import HOSTS, START_LINES

REQUESTS: tuple[RequestCase, ...] = (
    *FRAMING,
    *CHUNKS,
    *START_LINES,
    *HOSTS,
    *FIELDS,
    *HOP_BY_HOP,
    *PIPELINED,
)
