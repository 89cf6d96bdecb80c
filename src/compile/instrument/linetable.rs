//! The line table's codec: the positions of code units, in the format of CPython 3.11 and later.

use super::InstrumentError;
use rustpython_compiler_core::bytecode::PyCodeLocationInfoKind as Kind;
use rustpython_compiler_core::varint::{write_signed_varint, write_varint};

/// Where a code unit comes from. Columns count from 1, as the table's long form has them; 0 stands for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    None,
    Line(i32),
    Range { line: i32, end_line: i32, column: u32, end_column: u32 },
}

/// The positions of `units` code units.
pub(super) fn decode(table: &[u8], first_line: i32, units: usize) -> Result<Vec<Position>, InstrumentError> {
    let mut positions = Vec::with_capacity(units);
    let mut reader = Reader { rest: table };
    let mut line = first_line;
    while !reader.rest.is_empty() {
        let header = reader.byte()?;
        let code = header >> 3 & 0xf;
        let kind = Kind::from_code(code).ok_or_else(malformed)?;
        let position = match kind {
            Kind::None => Position::None,
            Kind::NoColumns => {
                line = reader.line(line)?;
                Position::Line(line)
            }
            Kind::Long => {
                line = reader.line(line)?;
                let end_line = line.checked_add_unsigned(reader.varint()?).ok_or_else(malformed)?;
                Position::Range { line, end_line, column: reader.varint()?, end_column: reader.varint()? }
            }
            Kind::OneLine0 | Kind::OneLine1 | Kind::OneLine2 => {
                line = line.checked_add(kind.one_line_delta().unwrap_or(0)).ok_or_else(malformed)?;
                let column = u32::from(reader.byte()?) + 1;
                let end_column = u32::from(reader.byte()?) + 1;
                Position::Range { line, end_line: line, column, end_column }
            }
            _ => {
                let payload = u32::from(reader.byte()?);
                let column = u32::from(code) << 3 | payload >> 4;
                Position::Range { line, end_line: line, column: column + 1, end_column: column + (payload & 0xf) + 1 }
            }
        };
        positions.extend(std::iter::repeat_n(position, usize::from(header & 7) + 1));
    }
    if positions.len() < units {
        positions.resize(units, Position::None);
    }
    Ok(positions)
}

/// Writes a line table.
pub(super) struct Encoder {
    table: Vec<u8>,
    line: i32,
    run: Option<(Position, usize)>,
}

impl Encoder {
    pub(super) fn new(first_line: i32) -> Self {
        Encoder { table: Vec::new(), line: first_line, run: None }
    }

    /// Adds `units` code units of one position.
    pub(super) fn push(&mut self, position: Position, units: usize) {
        match &mut self.run {
            Some((last, count)) if *last == position => *count += units,
            _ => {
                self.flush();
                self.run = Some((position, units));
            }
        }
    }

    pub(super) fn finish(mut self) -> Box<[u8]> {
        self.flush();
        self.table.into_boxed_slice()
    }

    fn flush(&mut self) {
        let Some((position, mut units)) = self.run.take() else { return };
        while units > 0 {
            let count = units.min(8);
            units -= count;
            self.entry(position, count as u8);
        }
    }

    fn entry(&mut self, position: Position, units: u8) {
        match position {
            Position::None => self.header(Kind::None as u8, units),
            Position::Line(line) => {
                self.header(Kind::NoColumns as u8, units);
                self.line_delta(line);
            }
            Position::Range { line, end_line, column, end_column } => {
                let delta = line.wrapping_sub(self.line);
                let width = end_column.wrapping_sub(column);
                let one_line = line == end_line && column > 0 && end_column > 0;
                if one_line && delta == 0 && column <= 80 && width < 16 {
                    let column = (column - 1) as u8;
                    self.header(column >> 3, units);
                    self.table.push((column & 7) << 4 | width as u8);
                } else if one_line && (0..=2).contains(&delta) && column <= 128 && end_column <= 128 {
                    self.header(Kind::OneLine0 as u8 + delta as u8, units);
                    self.table.extend([(column - 1) as u8, (end_column - 1) as u8]);
                    self.line = line;
                } else {
                    self.header(Kind::Long as u8, units);
                    self.line_delta(line);
                    write_varint(&mut self.table, end_line.wrapping_sub(line) as u32);
                    write_varint(&mut self.table, column);
                    write_varint(&mut self.table, end_column);
                }
            }
        }
    }

    fn header(&mut self, kind: u8, units: u8) {
        self.table.push(0x80 | kind << 3 | (units - 1));
    }

    fn line_delta(&mut self, line: i32) {
        write_signed_varint(&mut self.table, line.wrapping_sub(self.line));
        self.line = line;
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, InstrumentError> {
        let (&byte, rest) = self.rest.split_first().ok_or_else(malformed)?;
        self.rest = rest;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u32, InstrumentError> {
        let mut value = 0;
        for shift in (0..32).step_by(6) {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x3f) << shift;
            if byte & 0x40 == 0 {
                return Ok(value);
            }
        }
        Err(malformed())
    }

    /// A line, given as the difference from `line`.
    fn line(&mut self, line: i32) -> Result<i32, InstrumentError> {
        let coded = self.varint()?;
        let distance = (coded >> 1) as i32;
        let delta = if coded & 1 == 1 { -distance } else { distance };
        line.checked_add(delta).ok_or_else(malformed)
    }
}

fn malformed() -> InstrumentError {
    InstrumentError::new("a malformed line table")
}

#[cfg(test)]
mod tests {
    use super::{Encoder, Position, decode};
    use proptest::prelude::*;

    fn position() -> impl Strategy<Value = Position> {
        let range = (1..4000i32, 0..3i32, 0..200u32, 0..200u32).prop_map(|(line, lines, column, end_column)| {
            Position::Range { line, end_line: line + lines, column, end_column }
        });
        prop_oneof![Just(Position::None), (1..4000i32).prop_map(Position::Line), range]
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(runs in prop::collection::vec((position(), 1..20usize), 0..40)) {
            let mut encoder = Encoder::new(7);
            let mut expected = Vec::new();
            for &(position, units) in &runs {
                encoder.push(position, units);
                expected.extend(std::iter::repeat_n(position, units));
            }
            let table = encoder.finish();
            prop_assert_eq!(decode(&table, 7, expected.len()).unwrap(), expected);
        }

        #[test]
        fn any_bytes_decode_or_fail(table in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&table, 1, 30);
        }
    }
}
