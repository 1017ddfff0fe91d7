//! Tables in Parquet files.

use super::array::Rows;
use super::columns::choose;
use super::excerpt::{excerpt, list, plain};
use super::summary::Reading;
use super::table::{Cell, Table};
use super::{Points, TableOptions, error};
use crate::error::DatasetError;
use crate::io::input;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::path::Path;

/// Rows that are decoded at once.
const BATCH: usize = 8192;

/// Reads a `.parquet` file.
pub(super) fn read(path: &Path, options: &TableOptions) -> Result<Points, DatasetError> {
    // Some damage that the library does not expect ends in a panic.
    std::panic::catch_unwind(|| read_undamaged(path, options))
        .unwrap_or_else(|_| Err(error(path, "the file", "it is a damaged Parquet file: write it again".into())))
}

fn read_undamaged(path: &Path, options: &TableOptions) -> Result<Points, DatasetError> {
    let damaged = |e: ParquetError| error(path, "the file", explain(&e));
    let file = input::open(path).map_err(DatasetError::io("read", path))?;
    let len = file.metadata().map_err(DatasetError::io("read", path))?.len();
    let file = SerializedFileReader::new(file).map_err(damaged)?;
    check_ranges(file.metadata(), len).map_err(damaged)?;
    let schema = file.metadata().file_metadata().schema_descr();
    let names: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
    let chosen = choose(path, &names, options)?;
    refuse_other_types(path, schema.columns(), &chosen.positions)?;

    let mut table = Table::new(path, &chosen, options.missing);
    let mut at = 0;
    for n in 0..file.num_row_groups() {
        let group = file.get_row_group(n).map_err(damaged)?;
        let columns = chosen.positions.iter().map(|&c| column(&*group, c)).collect::<Result<Vec<_>, _>>().map_err(damaged)?;
        let n_rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
        if let Some(c) = columns.iter().position(|column| column.len() != n_rows) {
            let (name, got) = (excerpt(&chosen.names[c]), columns[c].len());
            let reason = format!("column {name} has {got} values in row group {n}, expected {n_rows}: the file is damaged");
            return Err(error(path, "the file", reason));
        }
        for row in 0..n_rows {
            table.row(at, columns.iter().map(|column| column[row]));
            at += 1;
        }
    }
    let finished = table.finish(&Rows)?;
    Points::from_table(path, chosen, true, finished, Reading::default())
}

/// That every column lies within the file, which the library takes for granted.
fn check_ranges(metadata: &ParquetMetaData, len: u64) -> Result<(), ParquetError> {
    let is_within = |column: &ColumnChunkMetaData| {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = start.checked_add(column.compressed_size());
        start >= 0 && column.compressed_size() >= 0 && end.is_some_and(|end| end as u64 <= len)
    };
    match metadata.row_groups().iter().flat_map(RowGroupMetaData::columns).find(|column| !is_within(column)) {
        Some(column) => Err(ParquetError::General(format!("the place of {} is not within the file", column.column_path()))),
        None => Ok(()),
    }
}

fn explain(e: &ParquetError) -> String {
    let text = e.to_string();
    if text.contains("Disabled feature at compile time") {
        return "it is compressed in a way that is not read; write it with compression=\"zstd\", \"snappy\" or \"gzip\"".into();
    }
    format!("it is no Parquet file, or damaged: {}", plain(&text))
}

/// A description of a column that does not hold numbers.
fn other_type(column: &ColumnDescriptor) -> Option<&'static str> {
    if column.max_rep_level() > 0 || column.max_def_level() > 1 {
        return Some("nested values");
    }
    let is_plain = matches!(column.logical_type_ref(), None | Some(LogicalType::Integer(_)))
        && matches!(
            column.converted_type(),
            ConvertedType::NONE
                | ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::INT_64
                | ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64
        );
    match (column.physical_type(), column.logical_type_ref()) {
        (Type::DOUBLE | Type::FLOAT, _) => None,
        (Type::INT32 | Type::INT64, _) if is_plain => None,
        (_, Some(LogicalType::Decimal(_))) => Some("decimal numbers, which astype(\"float64\") makes readable"),
        (_, Some(LogicalType::Float16)) => Some("float16, which astype(\"float32\") makes readable"),
        (Type::BOOLEAN, _) => Some("truth values, which astype(\"int8\") makes readable"),
        (Type::INT32 | Type::INT64 | Type::INT96, _) => Some("dates, times or decimal numbers"),
        _ => Some("text or bytes"),
    }
}

fn refuse_other_types(
    path: &Path,
    columns: &[std::sync::Arc<ColumnDescriptor>],
    positions: &[usize],
) -> Result<(), DatasetError> {
    let others: Vec<(String, &str)> =
        positions.iter().filter_map(|&c| Some((columns[c].path().string(), other_type(&columns[c])?))).collect();
    let Some(((name, holds), more)) = others.split_first() else { return Ok(()) };
    let mut reason = format!("{} holds {holds}", excerpt(name));
    if !more.is_empty() {
        reason += &format!("; {} no numbers either", list(more.iter().map(|(name, _)| name)));
    }
    let names: Vec<String> = others.iter().map(|(name, _)| format!("{name:?}")).collect();
    let names = names.join(", ");
    let hint = if names.len() <= 60 { format!(" = [{names}]") } else { ", or name the columns to read with data.columns".into() };
    Err(error(path, "the columns", format!("{reason}; leave such columns out with data.exclude{hint}")))
}

/// All values of a column in a group of rows.
fn column(group: &dyn RowGroupReader, c: usize) -> Result<Vec<Cell<'static>>, ParquetError> {
    let is_unsigned = |column: &ColumnDescriptor| match column.logical_type_ref() {
        Some(LogicalType::Integer(integer)) => !integer.is_signed,
        _ => matches!(
            column.converted_type(),
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        ),
    };
    let descriptor = group.metadata().schema_descr().column(c);
    let (is_unsigned, is_optional) = (is_unsigned(&descriptor), descriptor.max_def_level() > 0);
    match group.get_column_reader(c)? {
        ColumnReader::DoubleColumnReader(reader) => cells(reader, is_optional, |&x| Cell::of(x)),
        ColumnReader::FloatColumnReader(reader) => cells(reader, is_optional, |&x| Cell::of(x.into())),
        ColumnReader::Int32ColumnReader(reader) if is_unsigned => cells(reader, is_optional, |&x| Cell::of((x as u32).into())),
        ColumnReader::Int32ColumnReader(reader) => cells(reader, is_optional, |&x| Cell::of(x.into())),
        ColumnReader::Int64ColumnReader(reader) if is_unsigned => cells(reader, is_optional, |&x| Cell::whole((x as u64).into())),
        ColumnReader::Int64ColumnReader(reader) => cells(reader, is_optional, |&x| Cell::whole(x.into())),
        _ => Err(ParquetError::General("a column of another type than the schema says".into())),
    }
}

fn cells<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    is_optional: bool,
    cell: impl Fn(&T::T) -> Cell<'static>,
) -> Result<Vec<Cell<'static>>, ParquetError> {
    let mut cells = Vec::new();
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    loop {
        levels.clear();
        values.clear();
        let (n_rows, n_values, _) = reader.read_records(BATCH, Some(&mut levels), None, &mut values)?;
        if n_rows == 0 {
            return Ok(cells);
        }
        if !is_optional {
            cells.extend(values.iter().map(&cell));
            continue;
        }
        // A level above 0 says that there is a value.
        let mut present = values[..n_values].iter().map(&cell);
        cells.extend(
            levels
                .iter()
                .map(|&level| if level > 0 { present.next().unwrap_or(Cell::Missing(b"null")) } else { Cell::Missing(b"null") }),
        );
    }
}
