"""Makes the Parquet files of the tests with pyarrow, as a tap would: `python make.py FILE snappy`."""

import pyarrow as pa, pyarrow.parquet as pq, datetime, decimal, sys
t = pa.table({
 "id": pa.array(range(1,8), pa.int64()),
 "name": pa.array(["Ann","Bob",None,"Dörte","語","\"x\"\n","z"], pa.string()),
 "at": pa.array([datetime.datetime(2024,2,29,12,0,i, 123456) for i in range(7)], pa.timestamp("us", tz="UTC")),
 "day": pa.array([datetime.date(2024,2,29)]*7),
 "price": pa.array([decimal.Decimal("12345678901234567.89")]*7, pa.decimal128(38,2)),
 "ok": pa.array([True,False,None]*2+[True]),
 "tags": pa.array([["a","b"],[],None,["c"],[],[],[]], pa.list_(pa.string())),
 "at_home": pa.array([{"city":"X","zip":i} for i in range(7)], pa.struct([("city",pa.string()),("zip",pa.int32())])),
 "share": pa.array([0.1]*7, pa.float64()),
})
pq.write_table(t, sys.argv[1], row_group_size=3, compression=sys.argv[2])
