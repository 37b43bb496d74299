//! arrow: columns of 64 Ki rows, filtered, sorted and written.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::{filter_record_batch, sort_to_indices, take_record_batch};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::Program;
use crate::Checksum;

pub const PROGRAM: Program = Program {
    name: "columns",
    of: "arrow",
    does: "64 Ki rows, filtered, sorted, written, read",
    threads: 1,
    run,
};

const ROWS: i64 = 65_536;

fn run() -> u32 {
    let mut checksum = Checksum::default();
    for round in 0..10 {
        let keys = Int64Array::from_iter_values((0..ROWS).map(|n| (n * 7_919 + round) % 10_007));
        let names = StringArray::from_iter_values((0..ROWS).map(|n| format!("row {}", n % 1_000)));
        let values = Int64Array::from_iter_values(0..ROWS);
        let columns: [(&str, ArrayRef); 3] =
            [("key", Arc::new(keys)), ("name", Arc::new(names)), ("value", Arc::new(values))];
        let batch = RecordBatch::try_from_iter(columns).expect("equal lengths");
        let odd = (0..ROWS).map(|n| Some(n % 3 != 0)).collect();
        let filtered = filter_record_batch(&batch, &odd).expect("a mask");
        let order = sort_to_indices(filtered.column(0), None, None).expect("numbers");
        let sorted = take_record_batch(&filtered, &order).expect("indices");
        let mut bytes = Vec::new();
        let mut writer = StreamWriter::try_new(&mut bytes, &sorted.schema()).expect("room");
        writer.write(&sorted).expect("room");
        writer.finish().expect("room");
        drop(writer);
        let read = StreamReader::try_new(&bytes[..], None).expect("a stream").next().expect("a batch");
        assert_eq!(read.expect("whole"), sorted);
        checksum.add(&bytes);
    }
    checksum.finish()
}
