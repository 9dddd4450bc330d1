//! Tables written and read back.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::*;
use crate::secret::Masker;
use crate::table::Tables;
use std::sync::Arc;

fn stanzas(count: usize) -> Tables {
    let mut tables = Tables::new(Masker::new(false, [1; 16]), Arc::from(vec!["01.pcap".to_owned()]));
    for i in 0..count {
        let body = match i % 3 {
            0 => Some(format!("=cmd|' /C calc'!A{i}")),
            1 => Some(format!("\"quoted\", with a comma and a\nline {i}")),
            _ => None,
        };
        tables
            .row(TableId::Stanzas)
            .time(1_772_359_331_123_456_789 + i as i64)
            .capture(crate::evidence::CaptureId(0))
            .number(i as u64 + 1)
            .str("1:LQU9qZlK+B5F3KDmev6m5PMibrg=")
            .str("10.77.0.101:49152")
            .str("10.77.0.10:5222")
            .str("message")
            .display(format_args!("user{}@alpha.test/phone", i % 50))
            .text((i % 2 == 0).then_some("bob@alpha.test"))
            .str("chat")
            .display(format_args!("id-{i:x}"))
            .text(body.as_deref())
            .text(None)
            .number((i % 7 > 0).then_some(i as u64))
            .text(None);
    }
    tables
}

fn written(formats: &str, pieces: &[usize], total: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = TableWriter::new(folder.path(), formats.parse().unwrap()).unwrap();
    let all = stanzas(total);
    let mut next = 0;
    for piece in pieces.iter().chain(std::iter::repeat(&total)) {
        let places: Vec<(u16, u32)> = (next..total.min(next + piece)).map(|row| (0, row as u32)).collect();
        next += places.len();
        let some = Picked { parts: &[all.rows(TableId::Stanzas)], places: &places };
        writer.append_picked(TableId::Stanzas, some).unwrap();
        if next == total {
            break;
        }
    }
    let counts = writer.finish().unwrap();
    assert_eq!(counts, BTreeMap::from([("stanzas".to_owned(), total as u64)]));
    folder
}

#[test]
fn ndjson_leaves_absent_cells_out() {
    let folder = written("ndjson", &[], 3);
    let text = std::fs::read_to_string(folder.path().join("stanzas.ndjson")).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["time"], "2026-03-01T10:02:11.123456Z");
    assert_eq!(lines[1]["body"], "\"quoted\", with a comma and a\nline 1");
    assert_eq!(lines[1]["frame"], 2);
    assert!(lines[1].get("to").is_none() && lines[2].get("body").is_none() && lines[0].get("bytes").is_none());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "tables without rows have no file");
}

#[test]
fn formats_are_told_by_name() {
    assert_eq!("csv, ndjson".parse::<Formats>().unwrap().endings(), ["csv", "ndjson"]);
    assert!(matches!("xlsx".parse::<Formats>(), Err(ReportError::UnknownFormat(name)) if name == "xlsx"));
}

#[cfg(not(feature = "tables"))]
#[test]
fn a_build_without_polars_says_so() {
    let formats = Formats { parquet: true, ..Formats::default() };
    assert!(matches!(TableWriter::new("/nowhere", formats), Err(ReportError::FormatNotBuilt("Parquet"))));
}

#[cfg(feature = "tables")]
mod polars_formats {
    use super::*;
    use polars::prelude::{AnyValue, ParquetReader, SerReader, TimeUnit};

    #[test]
    fn parquet_reads_back_equal_across_row_groups() {
        let total = GROUP_ROWS as usize + 5000;
        let folder = written("parquet", &[], total);
        let file = std::fs::File::open(folder.path().join("stanzas.parquet")).unwrap();
        let frame = ParquetReader::new(file).finish().unwrap();
        assert_eq!(frame.height(), total);
        let tables = stanzas(total);
        let rows = tables.rows(TableId::Stanzas);
        for (number, (name, _)) in rows.spec().iter().enumerate() {
            let got = frame.column(name).unwrap();
            for row in (0..total).step_by(997).chain([0, total - 1]) {
                let got = got.get(row).unwrap();
                match &rows.columns()[number] {
                    column @ crate::table::Column::Text { .. } => assert_eq!(got.get_str(), column.text(row)),
                    crate::table::Column::Number(cells) => {
                        assert_eq!(got, cells[row].map_or(AnyValue::Null, AnyValue::UInt64));
                    }
                    crate::table::Column::Flag(cells) => {
                        assert_eq!(got, cells[row].map_or(AnyValue::Null, AnyValue::Boolean));
                    }
                    crate::table::Column::Time(cells) => {
                        assert_eq!(got, AnyValue::Datetime(cells[row], TimeUnit::Nanoseconds, None));
                    }
                }
            }
        }
    }

    #[test]
    fn the_bytes_do_not_depend_on_how_rows_were_handed_over() {
        let total = GROUP_ROWS as usize + 3000;
        let whole = written("parquet,csv,ndjson", &[], total);
        let pieces = written("parquet,csv,ndjson", &[1, 1023, 5000, 777, 100_000], total);
        for ending in ["parquet", "csv", "ndjson"] {
            let read =
                |folder: &tempfile::TempDir| std::fs::read(folder.path().join(format!("stanzas.{ending}"))).unwrap();
            assert!(read(&whole) == read(&pieces), "{ending} differs");
        }
    }

    #[test]
    fn csv_cells_cannot_be_formulas() {
        let folder = written("csv", &[], 3);
        let text = std::fs::read_to_string(folder.path().join("stanzas.csv")).unwrap();
        assert!(text.starts_with("time,capture,frame,"), "{text}");
        assert!(text.contains("\n2026-03-01T10:02:11.123456Z,01.pcap,1,"), "{text}");
        assert!(text.contains(",'=cmd|' /C calc'!A0,"), "{text}");
        assert!(text.contains("\"\"\"quoted\"\", with a comma and a\nline 1\""), "{text}");
        for (cell, wanted) in
            [("=1", "'=1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("\tx", "'\tx"), ("a=", "a=")]
        {
            assert_eq!(super::super::csv::neutralise(cell), wanted);
        }
    }
}
