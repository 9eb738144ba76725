# A source of records for the real Ocean framework: kinds and records come from the JSON file that RECORDS names, read
# anew at every resync, a page of 100 at a time.
import json
import os

from port_ocean.context.ocean import ocean


@ocean.on_resync()
async def on_resync(kind):
    with open(os.environ["RECORDS"]) as f:
        records = json.load(f).get(kind, [])
    for i in range(0, len(records), 100):
        yield records[i : i + 100]
